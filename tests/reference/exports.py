"""What Hugging Face's slow image processors and timm's evaluation transform make of a picture, by
Pillow and numpy, from the export's own JSON: the other side of `jaga models import`.

Written after transformers 4.57 (`models/*/image_processing_*.py`, `image_transforms.py`) and timm
1.0 with torchvision's functions on Pillow pictures. Knows what a well-formed file has, no more.
"""

import json
import math

import numpy as np
from PIL import Image

IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def shortest(image, edge, resample):
    """transformers' get_resize_output_image_size, and torchvision's resize of one number."""
    short, long = sorted(image.size)
    size = (edge, int(edge * long / short))
    return image.resize(size if image.width <= image.height else size[::-1], resample)


def center(pixels, height, width, halves=lambda value: math.floor(value)):
    """The middle of rows and columns; transformers rounds half a remainder down."""
    top, left = (halves((have - want) / 2) for have, want in zip(pixels.shape, (height, width)))
    assert top >= 0 and left >= 0
    return pixels[top : top + height, left : left + width]


def size_of(value, square):
    if isinstance(value, int):
        value = {"height": value, "width": value} if square else {"shortest_edge": value}
    elif isinstance(value, list):
        value = {"height": value[0], "width": value[1]}
    return value


def name_of(processor):
    # Without a class the model's type decides; that of the tests is ViT.
    name = processor.get("image_processor_type") or processor.get("feature_extractor_type", "ViT")
    for suffix in ("ImageProcessorFast", "ImageProcessor", "FeatureExtractor"):
        name = name.removesuffix(suffix)
    return name


def normalized(values, mean, std):
    """In float32, as transformers does it."""
    return (values - np.array(mean, np.float32)) / np.array(std, np.float32)


def hugging_face(processor, image):
    name, resample = name_of(processor), processor["resample"]
    size = size_of(processor["size"], name in ("ViT", "Beit", "DeiT", "EfficientNet", "Siglip", "Pvt"))
    if name == "ConvNext":
        pixels = convnext(image, size["shortest_edge"], processor, resample)
    else:
        if "shortest_edge" in size:
            image = shortest(image, size["shortest_edge"], resample)
        else:
            image = image.resize((size["width"], size["height"]), resample)
        pixels = np.array(image)
        crops = name in ("CLIP", "DeiT", "Bit", "MobileNetV1", "MobileNetV2", "MobileViT")
        if processor.get("do_center_crop", crops):
            crop = size_of(processor["crop_size"], True)
            pixels = center(pixels, crop["height"], crop["width"])
    values = pixels.astype(np.float32)
    if processor.get("do_rescale", True):
        values = (pixels.astype(np.float64) * processor.get("rescale_factor", 1 / 255)).astype(np.float32)
        if processor.get("rescale_offset"):
            values = values - 1
    if processor.get("do_normalize", name != "MobileViT"):
        values = normalized(values, processor["image_mean"], processor["image_std"])
    if name == "EfficientNet" and processor.get("include_top", True):
        values = normalized(values, [0, 0, 0], processor["image_std"])
    if name == "MobileViT" and processor.get("do_flip_channel_order", True):
        values = values[:, :, ::-1]
    return values


def convnext(image, edge, processor, resample):
    if edge >= 384:
        return np.array(image.resize((edge, edge), resample))
    before = int(edge / (processor.get("crop_pct") or 224 / 256))
    return center(np.array(shortest(image, before, resample)), edge, edge)


def timm(config, image):
    _, height, width = config["input_size"]
    part = config.get("crop_pct") or 0.875
    before = [math.floor(side / part) for side in (height, width)]
    resample = Image.Resampling[config.get("interpolation", "bicubic").upper()]
    if config.get("crop_mode") == "squash":
        image = image.resize((before[1], before[0]), resample)
    else:
        image = shortest(image, before[0], resample)
    # torchvision's center_crop: int(round(… / 2.0)).
    pixels = center(np.array(image), height, width, halves=round)
    mean, std = config.get("mean", IMAGENET[0]), config.get("std", IMAGENET[1])
    return normalized(pixels.astype(np.float32) / np.float32(255), mean, std)


def tensor(folder, image):
    """What the export in `folder` would be given for `image`, NCHW without the batch axis."""
    processor = folder / "preprocessor_config.json"
    if processor.exists():
        values = hugging_face(json.loads(processor.read_text()), image)
    else:
        values = timm(json.loads((folder / "config.json").read_text())["pretrained_cfg"], image)
    return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)
