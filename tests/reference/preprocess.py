"""A bundle's `[input]` by Pillow and numpy: what jaga's own preprocessing is compared with."""

import numpy as np
from PIL import Image


def sides(size):
    """`224` or `[width, height]` as (width, height)."""
    return (size, size) if isinstance(size, int) else tuple(size)


def scaled(side, target, whole, rounding):
    """`side * target / whole` in whole pixels."""
    if rounding == "down":
        return max(int(target * side / whole), 1)
    return max(int(round(side * (target / whole))), 1)


def resized(image, section):
    """The whole picture resampled, with bars where the mode asks for them."""
    width, height = image.size
    target_width, target_height = sides(section["size"])
    kernel = Image.Resampling[section["filter"].upper()]
    mode = section["mode"]
    if mode == "stretch":
        return image.resize((target_width, target_height), kernel)
    if mode == "shortest_side":
        rounding = section.get("rounding", "half_even")
        size = [scaled(side, target_width, min(width, height), rounding) for side in image.size]
        return image.resize(size, kernel)
    if mode == "letterbox":
        ratio = min(target_width / width, target_height / height)
        size = tuple(
            min(max(int(round(side * ratio)), 1), limit)
            for side, limit in ((width, target_width), (height, target_height))
        )
        canvas = Image.new("RGB", (target_width, target_height), (section.get("pad", 0),) * 3)
        place = ((target_width - size[0]) // 2, (target_height - size[1]) // 2)
        canvas.paste(image.resize(size, kernel), place)
        return canvas
    raise ValueError(f"resize mode {mode!r}")


def cropped(image, section):
    """The middle; `rounding` says where an odd remainder goes."""
    width, height = sides(section["size"])
    down = section.get("rounding", "down") == "down"
    left, top = (
        remainder // 2 if down else int(round(remainder / 2))
        for remainder in (image.width - width, image.height - height)
    )
    return image.crop((left, top, left + width, top + height))


def tensor(image, section):
    """One picture as the model's input, without the batch axis."""
    image = resized(image.convert("RGB"), section["resize"])
    if "crop" in section:
        image = cropped(image, section["crop"])
    pixels = np.asarray(image)
    if section["color"] == "BGR":
        pixels = pixels[:, :, ::-1]
    if section["dtype"] != "uint8":
        scaled = pixels.astype(np.float64) * section.get("scale", 1.0)
        pixels = (scaled - section.get("mean", [0.0] * 3)) / section.get("std", [1.0] * 3)
    if section["layout"] == "NCHW":
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels, dtype=np.dtype(section["dtype"]))
