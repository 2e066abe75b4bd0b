"""What training leaves behind: head.json, sections of model.toml and CARD.md, figures.json."""

import hashlib
import json

ROWS = {
    "roc_auc": "AUC",
    "roc_auc_matched": "AUC, matched content",
    "recall_at_fpr_5": "recall at 5 % false positives",
    "recall_at_fpr_2": "recall at 2 % false positives",
    "brier": "Brier score (0.25 is a coin)",
    "ece": "expected calibration error",
}


def head(path, weights, bias):
    """Write the linear head; return the SHA-256 of the file."""
    document = {
        "schema": "jaga.head/1",
        "kind": "linear",
        "dim": len(weights),
        "bias": bias,
        "weights": list(weights),
    }
    path.write_text(json.dumps(document) + "\n")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def section(path, name, text, comment):
    """Replace what stands between the markers of section `name` in a file."""
    begin, end = (comment.format(f"{word} {name}: scripts/train_head.py") for word in ("begin", "end"))
    before, rest = path.read_text().split(begin)
    _, after = rest.split(end)
    path.write_text(f"{before}{begin}\n{text}{end}{after}")


def manifest(path, sha256, platt, limits):
    head_file = f'[[file]]\npath = "head.json"\nsha256 = "{sha256}"\n'
    section(path, "head", head_file, "# {}")
    scores = f'[calibration]\nkind = "platt"\na = {platt[0]}\nb = {platt[1]}\n\n'
    scores += f"[verdict]\nsubstantial_evidence = {limits[0]}\nlittle_evidence = {limits[1]}\n"
    section(path, "scores", scores, "# {}")


def figures(path, document):
    path.write_text(json.dumps(rounded(document), indent=2) + "\n")


def rounded(value):
    """Four decimals: more than the intervals support, and the same on every machine."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(float(value), 4) if isinstance(value, float) else value


def card(path, document):
    section(path, "figures", card_text(document), "<!-- {} -->")


def card_text(document):
    clips, spread = document["clips"], document["fold_assignments"]
    lines = [
        f"Measured on {clips['generated']} generated and {clips['camera']} camera clips "
        f"({clips['groups']} groups, {clips['generator_families']} generator families), "
        "every clip by a head that saw no clip of its group:",
        "",
        "| figure | value | 95 % interval | other fold assignments |",
        "| --- | --- | --- | --- |",
    ]
    for key, name in ROWS.items():
        row = document["figures"][key]
        other = f"{spread[key]['min']:.2f}–{spread[key]['max']:.2f}" if key in spread else ""
        lines.append(f"| {name} | {row['value']:.3f} | {row['low']:.2f}–{row['high']:.2f} | {other} |")
    lines += [
        "",
        "Intervals resample whole groups. Brier score and calibration error count both classes as "
        "equally frequent.",
        "",
        "| generator family, left out of training | clips | AUC against all camera clips |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {row['group']} | {row['clips']} | {row['roc_auc']:.2f} |" for row in document["families"]]
    lines += ["", *verdict_lines(document)]
    return "\n".join(lines) + "\n"


def verdict_lines(document):
    limits = document["thresholds"]
    lines = [
        f"Verdicts: `substantial_evidence` from a score of {limits['substantial_evidence']}, "
        f"`little_evidence` below {limits['little_evidence']}.",
        "",
        "| clips | substantial evidence | uncertain | little evidence |",
        "| --- | --- | --- | --- |",
    ]
    for key, note in (("verdicts", ""), ("verdicts_unseen", ", thresholds from other folds")):
        for name, row in document[key].items():
            parts = [row["substantial_evidence"], row["uncertain"], row["little_evidence"]]
            cells = " | ".join(f"{part} ({part / row['clips']:.1%})" for part in parts)
            lines.append(f"| {name}{note} | {cells} |")
    lines += [
        "",
        "The first two rows are the clips that the thresholds were chosen on; the last two say what to "
        "expect on new ones.",
    ]
    return lines
