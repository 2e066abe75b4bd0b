"""The training table: one mean embedding a clip, with where the clip is from."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

COLUMNS = ["label", "source", "group", "photoreal", "glossy", "repository"]
FORMS = {"float32": "video_frames_float32.npz", "int8": "video_frames_int8.npz"}
BLOCK = "block7"


@dataclass
class Table:
    """Clips in rows; `embedding` is [clips, 768], `matched` marks the clips of the matched figure."""

    label: np.ndarray
    source: np.ndarray
    group: np.ndarray
    matched: np.ndarray
    embedding: np.ndarray


def load(folder, form):
    """Read `clips.tsv` and one form of `embeddings.npz` from `folder`."""
    with open(Path(folder) / "clips.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    embedding = np.load(Path(folder) / "embeddings.npz")[form].astype(np.float64)
    label = np.array([int(row["label"]) for row in rows])
    photoreal = np.array([row["photoreal"] == "1" for row in rows])
    glossy = np.array([row["glossy"] == "1" for row in rows])
    return Table(
        label=label,
        source=np.array([row["source"] for row in rows]),
        group=np.array([row["group"] for row in rows]),
        matched=np.where(label == 1, photoreal, glossy),
        embedding=embedding,
    )


def build(embeddings, folder):
    """Write the table to `folder` from a folder of frame embeddings (`videos.tsv`, `*.npz`)."""
    with open(Path(embeddings) / "videos.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    means = {}
    for form, name in FORMS.items():
        frames = np.load(Path(embeddings) / name)
        plain = frames["degraded"] == 0 if "degraded" in frames else slice(None)
        means[form] = clip_means(frames[BLOCK][plain], frames["video"][plain], len(rows))
    Path(folder).mkdir(parents=True, exist_ok=True)
    # Not compressed, so that the bytes don't depend on a compressor's version.
    np.savez(Path(folder) / "embeddings.npz", **means)
    with open(Path(folder) / "clips.tsv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, "", "ignore", delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def clip_means(frames, video, clips):
    """Mean over each clip's L2-normalised frame embeddings, as float16 [clips, width]."""
    frames = frames.astype(np.float64)
    frames /= np.linalg.norm(frames, axis=1, keepdims=True)
    count = np.bincount(video, minlength=clips)
    if count.min() == 0:
        raise ValueError(f"clip {count.argmin()} has no frame")
    total = np.zeros((clips, frames.shape[1]))
    np.add.at(total, video, frames)
    return (total / count[:, None]).astype(np.float16)
