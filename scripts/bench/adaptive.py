"""The labelled clips with all planned frames and with adaptive sampling. Prints a Markdown table."""

import csv
import json
import subprocess
import time


def labelled(media):
    with open(media / "manifest.tsv", encoding="utf-8") as rows:
        return [media / row["path"] for row in csv.DictReader(rows, delimiter="\t") if row["label"]]


def scored(jaga, clips, model, options):
    """Seconds, and by file the model's part of the report."""
    command = [jaga, "score", "--format", "jsonl", "--model", model, *options, *clips]
    begin = time.monotonic()
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    items = [json.loads(line) for line in lines]
    models = {item["file"]: item["report"]["models"][0] for item in items}
    return time.monotonic() - begin, models


def compare_adaptive(jaga, media, model):
    clips = labelled(media)
    print(f"\n## {len(clips)} labelled clips, `{model}`, 16 key frames\n")
    print("| sampling | frames scored | seconds | same verdict |")
    print("| --- | --- | --- | --- |")
    all_s, full = scored(jaga, clips, model, [])
    some_s, fewer = scored(jaga, clips, model, ["--adaptive"])
    frames = [sum(m["coverage"]["scored"] for m in models.values()) for models in (full, fewer)]
    same = sum(full[file]["verdict"] == fewer[file]["verdict"] for file in full)
    print(f"| all planned | {frames[0]} | {all_s:.0f} | |")
    print(f"| adaptive | {frames[1]} | {some_s:.0f} | {same} of {len(full)} |")
    largest = max(
        abs(full[file]["score"] - fewer[file]["score"])
        for file in full
        if full[file]["score"] is not None
    )
    print(
        f"\n{frames[0] / frames[1]:.2f} times fewer frames, {all_s / some_s:.2f} times the speed; "
        f"scores within {largest:.3f}"
    )
