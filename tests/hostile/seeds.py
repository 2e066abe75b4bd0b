"""Well-formed files, one a container, that the cases are made from: small, with `ffmpeg`."""

import os
import struct
import subprocess
from pathlib import Path

ENVIRONMENT = os.environ | {"SVT_LOG": "1"}
PICTURE = ["-f", "lavfi", "-i", "testsrc=size=128x96:rate=25:duration=1.44"]
SOUND = ["-f", "lavfi", "-i", "sine=duration=1"]
H264 = ["-c:v", "libx264", "-preset", "veryfast", "-g", "12", "-bf", "2", "-pix_fmt", "yuv420p"]
HEVC = ["-c:v", "libx265", "-preset", "ultrafast", "-g", "12", "-pix_fmt", "yuv420p",
        "-x265-params", "log-level=none"]
VP9 = ["-c:v", "libvpx-vp9", "-cpu-used", "8", "-g", "12", "-pix_fmt", "yuv420p"]
AV1 = ["-c:v", "libaom-av1", "-cpu-used", "8", "-g", "12", "-pix_fmt", "yuv420p"]
FRAGMENTS = ["-movflags", "frag_keyframe+empty_moov"]

# By extension, or a name that ends in one; every demuxer of the decoder's allow-list.
VIDEOS = {
    "mp4": [*PICTURE, *SOUND, *H264, "-c:a", "aac", "-movflags", "+faststart"],
    "index-last.mp4": [*PICTURE, *H264],
    "fragments.mp4": [*PICTURE, *H264, *FRAGMENTS],
    "mov": [*PICTURE, "-c:v", "prores_ks", "-frames:v", "4"],
    "3gp": [*PICTURE, "-c:v", "h263", "-s", "176x144"],
    "mkv": [*PICTURE, *SOUND, *HEVC, "-c:a", "flac"],
    "webm": [*PICTURE, *VP9],
    "ts": [*PICTURE, *SOUND, *H264, "-c:a", "mp2"],
    "mpg": [*PICTURE, "-c:v", "mpeg2video", "-g", "12", "-f", "vob"],
    "avi": [*PICTURE, "-c:v", "mpeg4", "-g", "12"],
    "mjpeg.avi": [*PICTURE, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-frames:v", "8"],
    "flv": [*PICTURE, *SOUND, "-c:v", "flv", "-c:a", "mp3"],
    "ogg": [*PICTURE, "-c:v", "libtheora"],
    "gif": [*PICTURE],
    "asf": [*PICTURE, "-c:v", "wmv2"],
    "h264": [*PICTURE, *H264],
    "hevc": [*PICTURE, *HEVC],
    "m4v": [*PICTURE, "-c:v", "mpeg4", "-g", "12", "-f", "m4v"],
    "m2v": [*PICTURE, "-c:v", "mpeg2video", "-g", "12"],
    "ivf": [*PICTURE, *VP9],
    "av1.ivf": [*PICTURE, *AV1],
    "obu": [*PICTURE, *AV1, "-f", "obu"],
    "dv": [*PICTURE, "-target", "pal-dv", "-an", "-frames:v", "3"],
    "mxf": [*PICTURE, "-c:v", "mpeg2video", "-g", "12"],
}
PICTURES = {
    "jpg": [*PICTURE, "-frames:v", "1", "-pix_fmt", "yuvj420p"],
    "png": [*PICTURE, "-frames:v", "1"],
    "webp": [*PICTURE, "-frames:v", "1", "-c:v", "libwebp"],
}
SOUNDS = {name: SOUND for name in
          ["mp3", "wav", "w64", "aiff", "caf", "flac", "aac", "ac3", "eac3", "au"]}


def ffmpeg(arguments, path: Path, data: bytes = b"") -> None:
    """Runs `ffmpeg` with `data` on its standard input and `path` as its last argument."""
    command = ["ffmpeg", "-v", "error", "-y", "-bitexact", *arguments, "-threads", "1", str(path)]
    subprocess.run(command, input=data, check=True, env=ENVIRONMENT)


def make(folder: Path) -> dict[str, bytes]:
    """Makes every seed in `folder`; their bytes by name."""
    seeds = {}
    for name, arguments in (VIDEOS | PICTURES | SOUNDS).items():
        path = folder / f"seed.{name}"
        ffmpeg(arguments, path)
        seeds[name] = path.read_bytes()
    # No encoder is at hand: silence in mode 0, of 13 bytes a frame.
    seeds["amr"] = b"#!AMR\n" + (b"\x04" + bytes(12)) * 50
    (folder / "seed.amr").write_bytes(seeds["amr"])
    return seeds


def ivf_frames(ivf: bytes) -> list[bytes]:
    """The frames of an IVF file."""
    frames, at = [], 32
    while at + 12 <= len(ivf):
        (size,) = struct.unpack_from("<I", ivf, at)
        frames.append(ivf[at + 12 : at + 12 + size])
        at += 12 + size
    return frames


def ivf(codec: bytes, frames: list[bytes], width: int = 128, height: int = 96,
        base: tuple[int, int] = (25, 1), times=None) -> bytes:
    """An IVF file of `frames`; `base` is the rate and scale of its clock."""
    head = struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, codec, width, height, *base, len(frames), 0)
    times = times or range(len(frames))
    parts = (struct.pack("<IQ", len(f), t % 2**64) + f for f, t in zip(frames, times))
    return head + b"".join(parts)


class Bits:
    """A writer of bits, the highest first."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def put(self, value: int, count: int) -> "Bits":
        """`count` bits of `value`."""
        self.bits += [value >> (count - 1 - i) & 1 for i in range(count)]
        return self

    def golomb(self, value: int) -> "Bits":
        """Unsigned Exp-Golomb code (ITU-T H.264, 9.1)."""
        length = (value + 1).bit_length()
        return self.put(0, length - 1).put(value + 1, length)

    def bytes(self) -> bytes:
        """With a stop bit and zeros to the end of the byte."""
        bits = [*self.bits, 1]
        bits += [0] * (-len(bits) % 8)
        return bytes(int("".join(map(str, bits[i : i + 8])), 2) for i in range(0, len(bits), 8))
