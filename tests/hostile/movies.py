"""MP4 files (ISO/IEC 14496-12) whose boxes lie."""

import struct


def box(kind: bytes, *content: bytes) -> bytes:
    """A box with its size."""
    inner = b"".join(content)
    return struct.pack(">I4s", len(inner) + 8, kind) + inner


FTYP = box(b"ftyp", b"isom", bytes(4), b"isomavc1")


def patched(movie: bytes, kind: bytes, offset: int, value: bytes) -> bytes:
    """`value` at `offset` behind the name of the first box `kind`."""
    at = movie.index(kind) + 4 + offset
    return movie[:at] + value + movie[at + len(value) :]


def with_table(movie: bytes, kind: bytes, content: bytes) -> bytes:
    """The first box `kind`, at the end of the sample table of the first track, replaced; every box
    around it and, where the index comes first, the offsets of chunks follow."""
    at = movie.index(kind) - 4
    (size,) = struct.unpack_from(">I", movie, at)
    new = box(kind, content)
    grown = len(new) - size
    head, tail = bytearray(movie[:at]), movie[at + size :]
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = bytes(head).rindex(name) - 4
        struct.pack_into(">I", head, place, struct.unpack_from(">I", head, place)[0] + grown)
    return bytes(head) + new + tail


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *(v % 2**32 for v in values))


def nested(kinds: list[bytes], depth: int) -> bytes:
    """Boxes in boxes, each to the end of the file."""
    total = depth * 8
    return b"".join(struct.pack(">I4s", total - n * 8, kinds[n % len(kinds)]) for n in range(depth))


def tracks(count: int) -> bytes:
    return FTYP + box(b"moov", box(b"trak") * count)


def full_tracks(movie: bytes, count: int) -> bytes:
    """The same track many times."""
    at = movie.index(b"moov") - 4
    (size,) = struct.unpack_from(">I", movie, at)
    moov = movie[at + 8 : at + size]
    head = moov[: moov.index(b"trak") - 4]
    track = moov[moov.index(b"trak") - 4 :]
    track = track[: struct.unpack_from(">I", track)[0]]
    return movie[:at] + movie[at + size :] + box(b"moov", head, track * count)


def cases(seeds):
    mp4, last, cut = seeds["mp4"], seeds["index-last.mp4"], seeds["fragments.mp4"]
    sides = struct.pack(">HH", 65535, 65535)
    moov = last.index(b"moov") - 4
    billion = 10**9
    made = {
        "mp4-65535-sides.mp4": patched(last, b"avc1", 24, sides),
        "mp4-zero-sides.mp4": patched(last, b"avc1", 24, bytes(4)),
        "mp4-65535-display.mp4": patched(last, b"tkhd", 76, words(0xFFFF0000, 0xFFFF0000)),
        "mp4-1e9-samples.mp4": patched(last, b"stsz", 4, words(1, billion)),
        "mp4-1e9-sizes.mp4": patched(last, b"stsz", 4, words(0, billion)),
        "mp4-4e9-samples.mp4": patched(last, b"stsz", 4, words(1, 2**32 - 1)),
        "mp4-1e9-samples-of-none.mp4": patched(last, b"stsz", 4, words(2**31 - 1, billion)),
        "mp4-1e9-times.mp4": patched(last, b"stts", 4, words(billion)),
        "mp4-1e9-times-in-one.mp4": with_table(last, b"stts", words(0, 1, billion, 1)),
        "mp4-1e9-samples-and-times.mp4": patched(
            with_table(last, b"stts", words(0, 1, billion, 1)), b"stsz", 4, words(1, billion)),
        "mp4-1e9-chunks.mp4": patched(last, b"stco", 4, words(billion)),
        "mp4-chunks-at-the-end.mp4": patched(last, b"stco", 8, words(2**32 - 1)),
        "mp4-1e9-per-chunk.mp4": patched(last, b"stsc", 12, words(billion)),
        "mp4-zero-per-chunk.mp4": patched(last, b"stsc", 12, words(0)),
        "mp4-chunk-zero.mp4": patched(last, b"stsc", 8, words(0)),
        "mp4-1e9-keyframes.mp4": patched(last, b"stss", 4, words(billion)),
        "mp4-keyframes-nowhere.mp4": patched(last, b"stss", 8, words(2**32 - 1)),
        "mp4-1e9-edits.mp4": patched(last, b"elst", 4, words(billion)),
        "mp4-edit-at-minus.mp4": patched(last, b"elst", 12, words(-(2**31))),
        "mp4-edit-far-away.mp4": patched(last, b"elst", 12, words(2**31 - 1)),
        "mp4-edit-rate-zero.mp4": patched(last, b"elst", 16, words(0)),
        "mp4-zero-timescale.mp4": patched(last, b"mdhd", 12, words(0)),
        "mp4-huge-timescale.mp4": patched(last, b"mdhd", 12, words(2**32 - 1)),
        "mp4-timescale-1.mp4": patched(last, b"mdhd", 12, words(1)),
        "mp4-zero-movie-timescale.mp4": patched(last, b"mvhd", 12, words(0)),
        "mp4-huge-duration.mp4": patched(last, b"mdhd", 16, words(2**32 - 2)),
        "mp4-negative-offsets.mp4": patched(last, b"ctts", 12, words(-(2**31))),
        "mp4-huge-offsets.mp4": patched(last, b"ctts", 12, words(2**31 - 1)),
        "mp4-negative-steps.mp4": patched(last, b"stts", 12, words(-5)),
        "mp4-zero-steps.mp4": patched(last, b"stts", 12, words(0)),
        "mp4-huge-steps.mp4": patched(last, b"stts", 12, words(2**31 - 1)),
        "mp4-1000-a-second.mp4": patched(
            patched(last, b"mdhd", 12, words(1000)), b"stts", 12, words(1)),
        "mp4-1e6-tracks.mp4": tracks(10**6),
        "mp4-200-tracks.mp4": full_tracks(last, 200),
        "mp4-no-track.mp4": tracks(0),
        "mp4-1e5-movie-boxes.mp4": FTYP + nested([b"moov"], 10**5),
        "mp4-1e5-nested.mp4": FTYP + nested([b"moov", b"trak", b"mdia", b"minf", b"stbl"], 10**5),
        "mp4-1e5-user-data.mp4": FTYP + box(b"moov", nested([b"udta", b"meta"], 10**5)),
        "mp4-1e6-free-boxes.mp4": FTYP + box(b"free") * 10**6 + last[moov - 0 :],
        "mp4-1e5-index-boxes.mp4": cut + box(b"sidx", bytes(24)) * 10**5,
        "mp4-1e5-fragments.mp4": cut + box(b"moof", box(b"mfhd", bytes(8))) * 10**5,
        "mp4-fragment-of-1e9.mp4": patched(cut, b"trun", 4, words(billion)),
        "mp4-fragment-offset.mp4": patched(cut, b"trun", 8, words(-(2**31))),
        "mp4-size-beyond.mp4": patched(mp4, b"moov", -8, words(2**32 - 1)),
        "mp4-size-64-bits.mp4": FTYP + struct.pack(">I4sQ", 1, b"moov", 2**64 - 1) + last,
        "mp4-size-too-small.mp4": patched(mp4, b"moov", -8, words(3)),
        "mp4-index-twice.mp4": last + last[moov:],
        "mp4-index-of-noise.mp4": FTYP + box(b"moov", bytes(range(256)) * 400),
        "mp4-1e9-descriptions.mp4": patched(last, b"stsd", 4, words(billion)),
        "mp4-compressed-index.mp4": FTYP + box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), box(
            b"cmvd", words(2**32 - 1), compressed(bytes(1 << 26))))),

    }
    return made


def compressed(data: bytes) -> bytes:
    import zlib

    return zlib.compress(data, 9)


def write_sparse(path, movie: bytes, hole: int) -> None:
    """`movie` with `hole` bytes that take no disk between its data and its index."""
    moov = movie.index(b"moov") - 4
    with path.open("wb") as file:
        file.write(movie[:moov])
        file.write(struct.pack(">I4sQ", 1, b"free", hole))
        file.seek(hole - 16, 1)
        file.write(movie[moov:])
