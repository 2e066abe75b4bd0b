#!/usr/bin/env python3
"""Evaluate a bundle on labelled clips as one plain script would: a loop over the files with PyAV and
onnxruntime, then scikit-learn and a bootstrap over sources. Prints {"score_s": …, "metrics_s": …, …}."""

import argparse
import csv
import json
import sys
import time
from pathlib import Path

import numpy as np
from sampling import DECODERS
from sklearn import metrics

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "reference"))
import preprocess  # noqa: E402
from bundle import Bundle  # noqa: E402


def score(model, path, frames):
    """Video's and frames' probabilities."""
    images = DECODERS["av"](path, frames, "uniform")
    section = model.manifest["input"]
    logits = model.logits([preprocess.tensor(image, section) for image in images])
    return model.probability(sum(logits) / len(logits)), [model.probability(logit) for logit in logits]


def values(labels, scores):
    """The metrics of `jaga eval`."""
    if len(set(labels)) < 2:
        return {}
    fpr, tpr, _ = metrics.roc_curve(labels, scores)
    called = scores >= 0.5
    bins = np.digitize(scores, np.linspace(0, 1, 11)[1:-1], right=True)
    gaps = [abs(scores[bins == i].sum() - labels[bins == i].sum()) for i in range(10)]
    found = {
        "roc_auc": metrics.roc_auc_score(labels, scores),
        "average_precision": metrics.average_precision_score(labels, scores),
        "eer": np.interp(0, fpr - (1 - tpr), fpr),
        "log_loss": metrics.log_loss(labels, scores),
        "brier": metrics.brier_score_loss(labels, scores),
        "ece": sum(gaps) / len(scores),
        "accuracy": metrics.accuracy_score(labels, called),
        "precision": metrics.precision_score(labels, called, zero_division=0),
        "recall": metrics.recall_score(labels, called),
        "f1": metrics.f1_score(labels, called),
    }
    for limit in (0.1, 0.01, 0.001):
        found[f"tpr_at_fpr_{limit}"] = tpr[fpr <= limit].max()
    return found


def with_intervals(labels, scores, sources, replicates):
    """Value and 95 % interval of each metric; sources are drawn."""
    random, names = np.random.default_rng(0), np.unique(sources)
    of = {name: np.flatnonzero(sources == name) for name in names}
    draws = []
    for _ in range(replicates):
        drawn = np.concatenate([of[name] for name in random.choice(names, len(names))])
        draws.append(values(labels[drawn], scores[drawn]))
    found = {}
    for name, value in values(labels, scores).items():
        spread = [draw[name] for draw in draws if name in draw]
        found[name] = [value, *np.quantile(spread, [0.025, 0.975])]
    return found


def evaluate(rows, scored, replicates):
    labels = np.array([int(row["label"]) for row in rows])
    sources = np.array([row["source"] for row in rows])
    methods = np.array([row["method"] for row in rows])
    scores = np.array([video for video, _ in scored])
    counts = [len(frames) for _, frames in scored]
    of_frames = np.concatenate([frames for _, frames in scored])
    found = {
        "video": with_intervals(labels, scores, sources, replicates),
        "frame": with_intervals(np.repeat(labels, counts), of_frames, np.repeat(sources, counts), replicates),
    }
    for column in (methods, sources):
        for name in filter(None, np.unique(column)):
            # A slice of one class is compared with all of the other.
            of = column == name
            if len(set(labels[of])) == 1:
                of = of | (labels != labels[of][0])
            found[str(name)] = with_intervals(labels[of], scores[of], sources[of], replicates)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--weights-dir", type=Path, default=ROOT / ".jaga" / "weights")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--replicates", type=int, default=1000)
    arguments = parser.parse_args()
    with arguments.manifest.open(newline="") as table:
        rows = list(csv.DictReader(table))
    begin = time.perf_counter()
    model = Bundle(arguments.bundle, arguments.weights_dir)
    if model.max_batch > 1:
        model.manifest["runtime"]["max_batch"] = arguments.frames  # all of a clip in one run
    folder = arguments.manifest.parent
    scored = [score(model, str(folder / row["path"]), arguments.frames) for row in rows]
    middle = time.perf_counter()
    found = evaluate(rows, scored, arguments.replicates)
    end = time.perf_counter()
    print(json.dumps({
        "score_s": middle - begin, "metrics_s": end - middle, "slices": len(found) - 2,
        "frames": sum(len(frames) for _, frames in scored), "roc_auc": found["video"]["roc_auc"],
    }))


if __name__ == "__main__":
    main()
