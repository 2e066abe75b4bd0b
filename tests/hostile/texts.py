"""Texts that point elsewhere, files of other kinds, and files that are two kinds at once."""

import gzip
import io
import struct
import zipfile

TARGETS = {"passwd": "/etc/passwd", "file": "file:///etc/passwd", "http": "http://127.0.0.1:9/x"}


def hls(target):
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n"


def concat(target):
    return f"ffconcat version 1.0\nfile '{target}'\n"


def dash(target):
    return ('<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
            '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
            f"<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>\n")


def svg(target):
    return (f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "{target}">]>'
            f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}"/>&x;</svg>\n')


def zipped(content: bytes, method=zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        archive.writestr("clip.mp4", content)
    return held.getvalue()


def entities() -> bytes:
    """Billion laughs."""
    lines = ['<!ENTITY a0 "lol">']
    lines += [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)]
    return f'<?xml version="1.0"?><!DOCTYPE svg [{"".join(lines)}]><svg>&a9;</svg>'.encode()


def cases(seeds):
    made = {}
    for kind in (hls, concat, dash, svg):
        for name, target in TARGETS.items():
            made[f"{kind.__name__}-{name}.mp4"] = kind(target).encode()
    html = b"<html><script>alert(1)</script>"
    pdf = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
    mp4 = seeds["mp4"]
    made |= {
        "pdf.mp4": pdf,
        "zip.mp4": zipped(mp4),
        "zip-stored.mp4": zipped(mp4, zipfile.ZIP_STORED),
        "gzip-bomb.mp4": gzip.compress(bytes(100_000_000), mtime=0),
        "elf.mp4": b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 62) + bytes(500),
        "script.mp4": b"#!/bin/sh\ntouch /tmp/owned\n",
        "xml-entities.mp4": entities(),
        "zeros.mp4": bytes(1 << 20),
        "ones.mp4": b"\xff" * (1 << 20),
        "text-a-megabyte.mp4": b"no video in here\n" * 65536,
        "mp4-then-zip.mp4": mp4 + zipped(b"x" * 1000),
        "mp4-then-html.mp4": mp4 + html,
        "html-then-mp4.mp4": html + mp4,
        "pdf-then-mp4.mp4": pdf + mp4,
        "hls-then-mp4.mp4": hls("/etc/passwd").encode() + mp4,
        "jpeg-then-zip.mp4": seeds["jpg"] + zipped(b"x" * 1000),
        "jpeg-then-mp4.mp4": seeds["jpg"] + mp4,
        "html-in-jpeg.mp4": seeds["jpg"][:2] + b"\xff\xfe" + struct.pack(">H", len(html) + 2)
        + html + seeds["jpg"][2:],
        "gif-script.mp4": b"GIF89a/*" + seeds["gif"][8:] + b"*/=1;alert(1)",
        "png-then-hls.mp4": seeds["png"] + hls("/etc/passwd").encode(),
        "mp4-in-free-of-mp4.mp4": struct.pack(">I4s", len(mp4) + 8, b"free") + mp4 + mp4,
    }
    return made
