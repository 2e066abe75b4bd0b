"""Still pictures that unpack to much, or whose descriptions do."""

import struct
import tempfile
import zlib
from pathlib import Path

from seeds import SOUND, ffmpeg

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of PNG with its checksum."""
    check = zlib.crc32(kind + content)
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", check)


def zeros(count: int) -> bytes:
    """So many zeros, compressed, without having them all at once."""
    packer, block = zlib.compressobj(6), bytes(1 << 20)
    parts = [packer.compress(block[: min(1 << 20, count - at)]) for at in range(0, count, 1 << 20)]
    return b"".join(parts) + packer.flush()


def png(width: int, height: int, data: bytes, kind=0, depth=8, more=b"") -> bytes:
    """`kind` 0 is grey, 2 is RGB, 6 has alpha; `data` is compressed."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return SIGNATURE + head + more + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def animation(count: int) -> bytes:
    pixel = zeros(2)
    parts = [chunk(b"acTL", struct.pack(">II", count, 0))]
    for n in range(count):
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * n, 1, 1, 0, 0, 1, 25, 0, 0)))
        parts.append(chunk(b"fdAT", struct.pack(">I", 2 * n + 1) + pixel))
    return png(1, 1, pixel, more=b"".join(parts))


def exif(entries: int, tag: int, kind: int, count: int, value: int, following: int) -> bytes:
    """A TIFF structure whose directory claims `entries` entries, all the same."""
    row = struct.pack("<HHII", tag, kind, count, value)
    rows = row * min(entries, 5000)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", entries) + rows + struct.pack("<I", following)


def segment(mark: int, content: bytes) -> bytes:
    """A segment of a JPEG file."""
    return struct.pack(">BBH", 0xFF, mark, len(content) + 2) + content


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def progressive(side: int, scans: int) -> bytes:
    """A grey picture of one coefficient in very many scans (ITU-T T.81, G.1): each scan walks over
    all of it and says nothing."""
    table = segment(0xC4, b"\x00" + b"\x01" + bytes(15) + b"\x00")
    runs = segment(0xC4, b"\x10" + b"\x01" + bytes(15) + b"\xe0")
    head = (b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64)
            + segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0") + table + runs)
    first = segment(0xDA, b"\1\1\0\0\0\0") + bytes((side // 8) ** 2 // 8)
    # EOB runs of 32767 blocks: 15 bits each after a code of one bit.
    blocks = (side // 8) ** 2 // 16384 + 2
    again = segment(0xDA, b"\1\1\0\1\x3f\0") + bytes(blocks * 2 + 8)
    return head + first + again * scans + b"\xff\xd9"


def webp(kind: bytes, content: bytes) -> bytes:
    inner = struct.pack("<4sI", kind, len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(inner) + 4) + b"WEBP" + inner


def lossless(width: int, height: int) -> bytes:
    """The header of a lossless WebP picture, and zeros for its codes."""
    sides = (width - 1) | (height - 1) << 14
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", sides) + bytes(200))


def flat(sides: str, name: str, arguments: list[str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        ffmpeg(["-f", "lavfi", "-i", f"color=gray:size={sides}", "-frames:v", "1", *arguments],
               path)
        return path.read_bytes()


def with_cover(extension: str) -> bytes:
    """Sound with a picture of its sleeve."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"cover.{extension}"
        ffmpeg([*SOUND, "-f", "lavfi", "-i", "color=red:size=64x64:duration=0.04", "-map", "0",
                "-map", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-frames:v", "1",
                "-disposition:v", "attached_pic"], path)
        return path.read_bytes()


def cases(seeds):
    jpeg, picture = seeds["jpg"], seeds["png"]
    sof = jpeg.index(b"\xff\xc0")
    wide = jpeg[: sof + 5] + b"\xff\xff\xff\xff" + jpeg[sof + 9 :]
    loop = exif(5, 0x8769, 4, 1, 8, 8)
    many = exif(65535, 0x0112, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    app = [segment(0xE1, b"Exif\0\0" + bytes(60_000))] * 1000
    profile = b"x\0\0" + zeros(1 << 28)
    return {
        "png-65535-sides.png": png(65535, 65535, zeros(1000)),
        "png-2e9-sides.png": png(2**31 - 1, 2**31 - 1, zeros(1000), kind=6, depth=16),
        "png-zero-sides.png": png(0, 0, zeros(1)),
        "png-flat-16k.png": png(16384, 16384, zeros(16385 * 16384)),
        "png-flat-6k.png": png(6300, 6300, zeros(6300 * (1 + 6300 * 8)), kind=6, depth=16),
        "png-data-bomb.png": png(16, 16, zeros(1 << 28)),
        "png-profile-bomb.png": png(16, 16, zeros(17 * 16), more=chunk(b"iCCP", profile)),
        "png-text-bomb.png": png(16, 16, zeros(17 * 16), more=chunk(b"zTXt", profile)),
        "png-1e5-chunks.png": png(16, 16, zeros(17 * 16), more=chunk(b"tEXt", b"a\0b") * 100_000),
        "png-huge-chunk.png": SIGNATURE + struct.pack(">I4s", 2**31 - 1, b"IHDR") + bytes(20),
        "png-1e4-frames.png": animation(10_000),
        "png-exif-loop.png": picture[:33] + chunk(b"eXIf", loop) + picture[33:],
        "png-exif-huge.png": picture[:33] + chunk(b"eXIf", many) + picture[33:],
        "jpeg-65535-sides.jpg": wide,
        "jpeg-exif-loop.jpg": with_segments(jpeg, segment(0xE1, b"Exif\0\0" + loop)),
        "jpeg-exif-huge.jpg": with_segments(jpeg, segment(0xE1, b"Exif\0\0" + many)),
        "jpeg-1000-exif.jpg": with_segments(jpeg, *app),
        "jpeg-60-mb-of-comments.jpg": with_segments(jpeg, *[segment(0xFE, bytes(60_000))] * 1000),
        "jpeg-2000-scans.jpg": progressive(2048, 2000),
        "jpeg-90-scans.jpg": progressive(6304, 90),
        "jpeg-no-end.jpg": jpeg[:-2] + bytes(1 << 20),
        "webp-16384-sides.webp": lossless(16384, 16384),
        "webp-lossless-noise.webp": lossless(6300, 6300),
        "webp-canvas-2e24.webp": webp(b"VP8X", b"\x10\0\0\0" + b"\xff" * 6),
        "webp-flat-6k.webp": flat("6300x6300", "f.webp", ["-c:v", "libwebp", "-lossless", "1",
                                                          "-compression_level", "0"]),
        "webp-exif-huge.webp": webp(b"VP8X", b"\x08\0\0\0" + b"\x0f\0\0" * 2)
        + struct.pack("<4sI", b"EXIF", len(many)) + many,
        "cover.mp3": with_cover("mp3"),
        "cover.m4a": with_cover("m4a"),
        "cover.flac": with_cover("flac"),
    }
