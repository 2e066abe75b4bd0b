"""Clips for the benchmarks, made by ffmpeg: moving pattern and noise, so that bitrates are realistic."""

import hashlib
import pathlib
import subprocess

# On the disk that a server would use; /tmp may be memory.
FOLDER = pathlib.Path(__file__).resolve().parents[2] / ".jaga" / "bench"


def make(path, seconds, size, seed, bitrate):
    """An H.264 clip, 30 frames a second, a keyframe every 2 seconds; kept when it is there."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    source = f"testsrc2=size={size}:rate=30:duration={seconds},noise=alls=12:allf=t:all_seed={seed}"
    part = path.with_suffix(".part.mp4")
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-c:v", "libx264"]
    command += ["-preset", "veryfast", "-b:v", bitrate, "-g", "60", "-keyint_min", "60"]
    command += ["-sc_threshold", "0", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(part)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    part.rename(path)
    return path


def one_long(folder):
    return make(folder / "30s-1080p.mp4", 30, "1920x1080", 1, "6M")


def twenty(folder):
    return [make(folder / f"10s-720p-{i:02}.mp4", 10, "1280x720", i, "3M") for i in range(20)]


def small(folder):
    """Clips of which decoding is next to nothing beside scoring."""
    return [make(folder / f"2s-240p-{i:02}.mp4", 2, "320x240", i, "300k") for i in range(8)]


def various(folder):
    """Clips of several sizes and lengths."""
    return [*small(folder)[:4], *twenty(folder)[:2],
            make(folder / "3s-1080p.mp4", 3, "1920x1080", 3, "6M"),
            make(folder / "2s-tall.mp4", 2, "480x854", 4, "1M")]


def repeated(clip, seconds, path):
    """A clip over and over, its packets copied: any length at no cost, and a real encode."""
    if not path.exists():
        part = path.with_suffix(".part.mp4")
        command = ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", clip, "-t", str(seconds)]
        command += ["-c", "copy", "-movflags", "+faststart", part]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        part.rename(path)
    return path


def sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


SIZES = ["640x360", "1280x720", "480x854", "854x480", "1920x1080"]


def mixed(folder, count=200):
    """A labelled table of `count` clips of 2 to 5 s in five sizes, 20 sources and 4 methods; the
    labels mean nothing."""
    lines = ["path,label,source,method"]
    for i in range(count):
        size, seconds = SIZES[i % len(SIZES)], 2 + i * 7 % 4
        width, height = map(int, size.split("x"))
        path = make(folder / f"{i:03}-{seconds}s-{size}.mp4", seconds, size, i, f"{width * height // 400}k")
        method = f"method-{i // 2 % 4}" if i % 2 else ""
        lines.append(f"{path.name},{i % 2},source-{i % 20},{method}")
    table = folder / "manifest.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def picture(folder):
    """A small picture."""
    path = folder / "small.png"
    if not path.exists():
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x48", "-frames:v", "1"]
        subprocess.run([*command, str(path)], check=True, stdin=subprocess.DEVNULL)
    return path
