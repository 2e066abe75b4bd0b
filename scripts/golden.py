#!/usr/bin/env python3
"""Write the golden picture of a bundle and print the sections that belong into its model.toml.

Usage: golden.py BUNDLE…     (folders, such as models/genai-clip)

The picture is the same for all: waves of colour with fine noise, 96x64. The values are not known
here: `tests/reference/reference.py score` says a scorer's, `jaga models verify NAME` what a model gave
instead of the zeros. See docs/providers.md.
"""

import hashlib
import math
import sys
from pathlib import Path

WIDTH, HEIGHT = 96, 64


def picture():
    pixels, state = bytearray(), 1
    for y in range(HEIGHT):
        for x in range(WIDTH):
            for channel in range(3):
                state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
                wave = math.sin((x + 5 * channel) / 7) * math.cos((y - 3 * channel) / 9)
                pixels.append(round(112 + 80 * wave) + (state >> 60))
    return b"P6\n%d %d\n255\n" % (WIDTH, HEIGHT) + bytes(pixels)


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return
    content = picture()
    sha256 = hashlib.sha256(content).hexdigest()
    for folder in map(Path, sys.argv[1:]):
        (folder / "golden.ppm").write_bytes(content)
        print(f'# {folder}\n[[file]]\npath = "golden.ppm"\nsha256 = "{sha256}"\n')
        print('[golden]\ninput = "golden.ppm"\nvalues = [0.0]\ntolerance = 0.001\n')


if __name__ == "__main__":
    main()
