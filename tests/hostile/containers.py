"""Other containers and raw streams that lie, flood or grow."""

import struct
import tempfile
import zlib
from pathlib import Path

from seeds import H264, Bits, ffmpeg, ivf, ivf_frames

UNKNOWN = bytes.fromhex("01ffffffffffffff")


def element(name: str, *content: bytes, size: bytes | None = None) -> bytes:
    """An EBML element (RFC 8794) by its id in hex."""
    inner = b"".join(content)
    return bytes.fromhex(name) + (size or struct.pack(">Q", len(inner) | 1 << 56)) + inner


def number(name: str, value: int) -> bytes:
    return element(name, struct.pack(">Q", value % 2**64))


HEAD = element("1a45dfa3", element("4282", b"matroska"), number("4287", 4), number("4285", 2))


def track(codec=b"V_VP9", width=128, height=96, more=b"", index=1) -> bytes:
    video = element("e0", number("b0", width), number("ba", height))
    return element("ae", number("d7", index), number("73c5", index), number("83", 1),
                   element("86", codec), video, more)


def cluster(frames, time=0, size=None, step=40) -> bytes:
    blocks = (element("a3", b"\x81" + struct.pack(">hB", (n * step) & 0x7FFF, 0x80) + frame)
              for n, frame in enumerate(frames))
    return element("1f43b675", number("e7", time), *blocks, size=size)


def matroska(frames, tracks=None, info=b"", before=b"", clusters=None, size=None) -> bytes:
    body = [element("1549a966", number("2ad7b1", 1_000_000), info),
            before, element("1654ae6b", tracks or track()), clusters or cluster(frames)]
    return HEAD + element("18538067", *body, size=size)


def matroskas(seeds):
    frames = ivf_frames(seeds["ivf"])
    squeezed = element("6d80", element("6240", element("5034", number("4254", 0))))
    bomb = [zlib.compress(bytes(1 << 26), 9)]
    return {
        "mkv-plain.mkv": matroska(frames),
        "mkv-unknown-sizes.mkv": matroska(
            frames, clusters=cluster(frames, size=UNKNOWN), size=UNKNOWN),
        "mkv-unknown-nested.mkv": HEAD + bytes.fromhex("18538067") + UNKNOWN
        + (bytes.fromhex("1f43b675") + UNKNOWN) * 100_000,
        "mkv-1e6-voids.mkv": matroska(frames, before=b"\xec\x80" * 10**6),
        "mkv-void-without-end.mkv": HEAD + element("18538067", element("ec", size=UNKNOWN)),
        "mkv-1e5-tracks.mkv": matroska(
            frames, tracks=b"".join(track(index=n + 1) for n in range(100_000))),
        "mkv-65535-sides.mkv": matroska(frames, tracks=track(width=65535, height=65535)),
        "mkv-huge-sides.mkv": matroska(frames, tracks=track(width=2**40, height=2**40)),
        "mkv-zero-sides.mkv": matroska(frames, tracks=track(width=0, height=0)),
        "mkv-zero-clock.mkv": matroska(frames, info=number("2ad7b1", 0)),
        "mkv-huge-clock.mkv": matroska(frames, info=number("2ad7b1", 2**63)),
        "mkv-huge-times.mkv": matroska(frames, clusters=cluster(frames[:3], 2**62)),
        "mkv-negative-times.mkv": matroska(frames, clusters=cluster(frames, -5)),
        "mkv-year-long.mkv": matroska(
            frames, clusters=cluster(frames[:12]) + cluster(frames[12:], 31_536_000_000)),
        "mkv-1e6-blocks.mkv": matroska(frames, clusters=cluster([b"\x00"] * 300_000, step=0)),
        "mkv-zlib-bomb.mkv": matroska(
            frames, tracks=track(more=squeezed), clusters=cluster(bomb * 20)),
        "mkv-huge-block.mkv": HEAD + element("18538067", element("1654ae6b", track()), element(
            "1f43b675", element("a3", b"\x81\0\0\x80", size=struct.pack(">Q", 1 << 56 | 2**55)))),
        "mkv-huge-private.mkv": matroska(
            frames, tracks=track(more=element("63a2", size=struct.pack(">Q", 1 << 56 | 2**40)))),
        "mkv-not-allowed.mkv": matroska(frames, tracks=track(codec=b"V_UNCOMPRESSED")),
        "mkv-1e5-clusters.mkv": matroska(frames, clusters=cluster([], 1) * 100_000),
    }


def gif(frames: int, canvas=(16, 16), sides=(1, 1)) -> bytes:
    head = struct.pack("<6sHHBBB", b"GIF89a", *canvas, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    one = (b"\x21\xf9\x04\x00\x02\x00\x00\x00"
           + struct.pack("<BHHHHB", 0x2C, 0, 0, *sides, 0) + b"\x02\x02\x44\x01\x00")
    return head + one * frames + b";"


def start(payload: bytes) -> bytes:
    return b"\0\0\0\1" + payload


def parameters(width: int, height: int) -> bytes:
    """A sequence parameter set of H.264 (7.3.2.1.1) for a picture of so many macroblocks."""
    bits = Bits().put(66, 8).put(0, 8).put(62, 8).golomb(0).golomb(0).golomb(2).golomb(1).put(0, 1)
    bits.golomb(width // 16 - 1).golomb(height // 16 - 1).put(0b1100, 4)
    return start(b"\x67" + bits.bytes())


def without_parameters(stream: bytes) -> bytes:
    """An H.264 stream without its sequence parameter sets."""
    units = stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
    return b"".join(b"\0\0\1" + unit for unit in units if unit[0] & 31 != 7)


def av1(width: int, height: int) -> bytes:
    """A sequence header of AV1 (5.5) for one still picture, and the start of a frame."""
    bits = Bits().put(0, 3).put(0b11, 2).put(31, 5).put(15, 4).put(15, 4)
    bits.put(width - 1, 16).put(height - 1, 16).put(0, 6).put(0, 4).put(0, 2).put(0, 2)
    header = bits.bytes()
    return b"\x12\0\x0a" + bytes([len(header)]) + header + b"\x32\x40" + bytes(64)


def flat(codec: list[str], form: str, folder: Path, sides="8192x4320") -> bytes:
    """One picture of one colour, as large as is allowed."""
    path = folder / f"flat.{form}"
    ffmpeg(["-f", "lavfi", "-i", f"color=gray:size={sides}:rate=25", "-frames:v", "1", *codec],
           path)
    return path.read_bytes()


def streams(seeds):
    vp9, pictures = ivf_frames(seeds["ivf"]), without_parameters(seeds["h264"])
    large = bytearray(vp9[0])
    large[4] |= 0x0F
    large[5:8] = b"\xff\xff\xff"
    large[8] |= 0xF0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        h264 = flat([*H264, "-x264-params", "annexb=1"], "h264", folder)
        grown = flat([*H264], "h264", folder, "1280x720")
        vp9_flat = ivf_frames(flat(["-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline",
                                    "realtime", "-pix_fmt", "yuv420p"], "ivf", folder))
        av1_flat = ivf_frames(flat(["-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p"],
                                   "ivf", folder))
        small_vp9 = flat(["-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p"], "ivf", folder, "64x48")
        changed = folder / "changed.ts"
        one, two = folder / "one.ts", folder / "two.ts"
        one.write_bytes(seeds["ts"])
        ffmpeg(["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=1", *H264], two)
        changed.write_bytes(one.read_bytes() + two.read_bytes())
        resized = changed.read_bytes()
    return {
        "h264-65536-sides.h264": parameters(65536, 65536) + pictures,
        "h264-16384-sides.h264": parameters(16384, 16384) + pictures,
        "h264-grows-to-16384.h264": seeds["h264"] + parameters(16384, 16384) + pictures,
        "h264-1e5-parameters.h264": parameters(8192, 4320) * 100_000 + seeds["h264"],
        "h264-1e6-empty-units.h264": start(b"\x09") * 10**6 + seeds["h264"],
        "h264-flat-8k.h264": h264 * 60,
        "h264-grows.h264": seeds["h264"] + grown + h264 + seeds["h264"],
        "vp9-65536-sides.ivf": ivf(b"VP90", [bytes(large)] * 5),
        "vp9-flat-8k.ivf": ivf(b"VP90", vp9_flat * 60, 8192, 4320),
        "vp9-grows.ivf": ivf(b"VP90", vp9[:12] + vp9_flat + ivf_frames(small_vp9) + vp9[:12]),
        "av1-65536-sides.ivf": ivf(b"AV01", [av1(65536, 65536)] * 5),
        "av1-flat-8k.ivf": ivf(b"AV01", av1_flat * 60, 8192, 4320),
        "ivf-zero-clock.ivf": ivf(b"VP90", vp9, base=(0, 0)),
        "ivf-huge-clock.ivf": ivf(b"VP90", vp9, base=(2**32 - 1, 1)),
        "ivf-slow-clock.ivf": ivf(b"VP90", vp9, base=(1, 2**32 - 1)),
        "ivf-huge-times.ivf": ivf(b"VP90", vp9, times=[2**63 - 1] * len(vp9)),
        "ivf-negative-times.ivf": ivf(b"VP90", vp9, times=[-n * 2**40 for n in range(len(vp9))]),
        "ivf-1000-a-second.ivf": ivf(b"VP90", vp9, base=(1000, 1)),
        "ivf-huge-frame.ivf": ivf(b"VP90", vp9) + struct.pack("<IQ", 2**32 - 1, 99) + b"x",
        "ivf-1e6-empty-frames.ivf": ivf(b"VP90", vp9 + [b""] * 10**6),
        "ts-size-changes.ts": resized,
        "ts-1e6-empty-packets.ts": (b"\x47\x1f\xff\x10" + b"\xff" * 184) * 50_000 + seeds["ts"],
        "ts-1e3-programs.ts": program_table() + seeds["ts"],
    }


def program_table() -> bytes:
    """A program association that names 40 programs in each of 200 sections."""
    packets = b""
    for section in range(200):
        rows = b"".join(struct.pack(">HH", section * 40 + n + 1, 0xE000 | 32 + n)
                        for n in range(40))
        body = struct.pack(">BHHBBB", 0, 0xB000 | 5 + len(rows) + 4, 1, 0xC1, section, 199) + rows
        packet = b"\x47\x40\x00\x10\x00" + body + struct.pack(">I", crc(body))
        packets += packet.ljust(188, b"\xff")
    return packets


def crc(data: bytes) -> int:
    """CRC-32 of MPEG-2 (ISO/IEC 13818-1, annex A)."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value >> 31 else value << 1) & 0xFFFFFFFF
    return value


def chunk(kind: bytes, *content: bytes) -> bytes:
    inner = b"".join(content)
    return struct.pack("<4sI", kind, len(inner)) + inner + bytes(len(inner) % 2)


def put(data: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    at = data.index(mark) + len(mark) + offset
    return data[:at] + value + data[at + len(value) :]


def others(seeds):
    avi, flv, ogg, asf, mxf = (seeds[n] for n in ("avi", "flv", "ogg", "asf", "mxf"))
    long = struct.pack("<I", 2**32 - 1)
    amf = b"\x02\0\x0aonMetaData" + (b"\x03\0\x01a" * 100_000)
    tag = struct.pack(">BBHI", 18, len(amf) >> 16, len(amf) & 0xFFFF, 0) + b"\0\0\0"
    page = b"OggS\0\2" + bytes(8)
    return {
        "gif-1e5-frames.gif": gif(100_000),
        "gif-65535-sides.gif": gif(3, (65535, 65535)),
        "gif-8192-sides.gif": gif(200, (8192, 4320)),
        "gif-frame-outside.gif": gif(3, (16, 16), (65535, 65535)),
        "gif-no-frame.gif": gif(0),
        "avi-65535-sides.avi": put(put(avi, b"strf", 8, struct.pack("<ii", 65535, 65535)),
                                   b"avih", 36, struct.pack("<II", 65535, 65535)),
        "avi-zero-clock.avi": put(put(avi, b"strh", 24, bytes(8)), b"avih", 4, bytes(4)),
        "avi-1000-a-second.avi": put(avi, b"strh", 24, struct.pack("<II", 1, 1000)),
        "avi-1e9-a-second.avi": put(avi, b"strh", 24, struct.pack("<II", 1, 10**9)),
        "avi-1e9-frames.avi": put(avi, b"avih", 20, struct.pack("<I", 10**9)),
        "avi-huge-chunk.avi": put(avi, b"movi", 4, long),
        "avi-1e5-lists.avi": put(avi, b"RIFF", 0, long)[:12]
        + b"".join(struct.pack("<4sI4s", b"LIST", 2**31, b"hdrl") for _ in range(100_000)),
        "avi-1e3-streams.avi": put(avi, b"RIFF", 0, long)[:12] + chunk(
            b"LIST", b"hdrl", chunk(b"avih", bytes(56)), chunk(b"LIST", b"strl", chunk(
                b"strh", b"vidsMJPG" + bytes(48)), chunk(b"strf", bytes(40))) * 1000),
        "avi-index-of-1e6.avi": avi + chunk(b"idx1", struct.pack("<4sIII", b"00dc", 16, 4, 9)
                                            * 10**6),
        "flv-nested-metadata.flv": flv[:13] + tag + amf + struct.pack(">I", len(amf) + 11)
        + flv[13:],
        "flv-1e6-empty-tags.flv": flv[:13] + (b"\x12" + bytes(10) + bytes(4)) * 500_000 + flv[13:],
        "flv-times-go-back.flv": flv + flv[13:] * 20,
        "flv-huge-tag.flv": flv[:13] + b"\x09\xff\xff\xff" + bytes(7) + b"x" * 100,
        "ogg-1e5-streams.ogg": b"".join(
            page + struct.pack("<III", n, 0, 0) + b"\0" for n in range(100_000)) + ogg,
        "ogg-zero-clock.ogg": put(ogg, b"\x80theora", 15, bytes(8)),
        "ogg-65535-sides.ogg": put(ogg, b"\x80theora", 3, b"\xff\xff\xff\xff" + b"\xff" * 6),
        "asf-huge-object.asf": asf[:16] + b"\xff" * 8 + asf[24:],
        "asf-zero-packets.asf": put(asf, bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"), 76,
                                    bytes(8)),
        "mxf-huge-length.mxf": mxf[:16] + b"\x88" + b"\xff" * 8 + mxf[17:],
        "mxf-lengths-of-noise.mxf": mxf[:2000] + b"\x06\x0e\x2b\x34\xff\xff\xff\xff" * 5000,
        "wav-huge.wav": seeds["wav"][:40] + long + seeds["wav"][44:],
        "dv-noise.dv": seeds["dv"][:80] + bytes(range(256)) * 2000,
        "mpg-1e5-headers.mpg": seeds["mpg"][:14] * 100_000 + seeds["mpg"],
        "m2v-16383-sides.m2v": b"\0\0\1\xb3\xff\xff\xff\x13" + seeds["m2v"][8:],
    }


def cases(seeds):
    return matroskas(seeds) | streams(seeds) | others(seeds)
