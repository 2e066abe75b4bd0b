"""`jaga eval` beside a plain Python script on 200 labelled clips of mixed size and length."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import clips
from process import measure

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def jaga_command(jaga, model, frames, manifest, out, *more):
    command = [jaga, "eval", manifest, "--model", model, "--frames", str(frames), "--out", out]
    return [*command, *more]


def show(name, seconds, ratio, notes):
    print(f"| {name} | {seconds:.1f} | {ratio} | {notes} |", flush=True)


def compare_eval(jaga, manifest, model, frames, weights):
    """The plain way, then jaga as it is by default, like for like, and again from its cache."""
    count = len(manifest.read_text().splitlines()) - 1
    print(f"\n## Evaluate {model} on {count} clips, {frames} frames each\n")
    print("| program | seconds | plain / this | notes |")
    print("| --- | --- | --- | --- |")
    plain = [sys.executable, HERE / "plain_eval.py", manifest, "--bundle", ROOT / "models" / model]
    plain += ["--frames", str(frames), "--weights-dir", weights]
    run = measure(plain)
    found = json.loads(run.output)
    notes = f"scoring {found['score_s']:.1f} s, metrics {found['metrics_s']:.1f} s ({found['slices']} slices)"
    show("Python, uniform", run.seconds, "1.0", f"{notes}, AUC {found['roc_auc'][0]:.4f}")
    folder = Path(tempfile.mkdtemp(prefix="jaga-bench-"))
    runs = [
        ("jaga, keyframe (default)", "keyframe", []),
        ("jaga, uniform", "uniform", []),
        ("jaga, another threshold", "uniform", ["--threshold", "0.7"]),
        ("jaga, the same again", "uniform", ["--threshold", "0.7"]),
    ]
    for name, sampling, more in runs:
        out = folder / sampling
        own = measure(jaga_command(jaga, model, frames, manifest, out, "--sampling", sampling, *more))
        auc = json.loads((out / "metrics.json").read_text())["models"][model]["video"]["metrics"]["roc_auc"]
        show(name, own.seconds, f"{run.seconds / own.seconds:.2f}", f"AUC {auc['value']:.4f}")
    shutil.rmtree(folder)


def mixed_manifest(folder):
    return clips.mixed(folder / "mixed")
