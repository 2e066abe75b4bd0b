#!/usr/bin/env python3
"""Train a genai-clip bundle's head and calibration, and measure it on groups it never saw.

Reads the committed training table, writes head.json, figures.json and the generated sections of
model.toml and CARD.md. The same table gives the same bytes. Needs scikit-learn: run it with
.jaga/venv-test/bin/python after ./scripts/test has set it up.
"""

import argparse
from pathlib import Path

from training import fit, measure, table, write

MODELS = Path(__file__).resolve().parent.parent / "models"
BUNDLES = {"genai-clip": "float32", "genai-clip-int8": "int8"}
SEED = 0


def train(form, folder, bundle):
    """Train one form of the table into one bundle's folder; return the figures."""
    clips = table.load(folder, form)
    fold = fit.folds(clips, SEED)
    logit = fit.out_of_fold_logits(clips, fold)
    platt = fit.fit_platt(logit, clips.label)
    score = fit.sigmoid(platt[0] * logit + platt[1])
    limits = measure.thresholds(clips.label, score)
    weights, bias = fit.fit_head(clips.embedding, clips.label)
    sha256 = write.head(bundle / "head.json", weights, bias)
    write.manifest(bundle / "model.toml", sha256, platt, limits)
    generated = clips.label == 1
    document = {
        "clips": {
            "generated": int(generated.sum()),
            "camera": int((~generated).sum()),
            "matched_generated": int((clips.matched & generated).sum()),
            "matched_camera": int((clips.matched & ~generated).sum()),
            "groups": len(set(clips.group)),
            "generator_families": len(set(clips.group[generated])),
        },
        "figures": measure.with_intervals(
            clips, logit, fit.cross_fitted_scores(logit, clips.label, fold), SEED
        ),
        "fold_assignments": measure.fold_spread(clips),
        "families": measure.families(clips, logit),
        "thresholds": {"substantial_evidence": limits[0], "little_evidence": limits[1]},
        "verdicts": measure.shares(clips.label, score, limits),
        "verdicts_unseen": measure.unseen_thresholds(logit, clips.label, fold),
    }
    document = write.rounded(document)
    write.figures(bundle / "figures.json", document)
    write.card(bundle / "CARD.md", document)
    return document


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--table", type=Path, default=MODELS / "genai-clip" / "training",
                        help="folder with clips.tsv and embeddings.npz (default: the committed one)")
    parser.add_argument("--from-embeddings", type=Path, metavar="DIR",
                        help="first rebuild the table from frame embeddings")
    parser.add_argument("--bundle", choices=sorted(BUNDLES), action="append",
                        help="only this bundle (default: both)")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder of bundles to write to")
    arguments = parser.parse_args()
    if arguments.from_embeddings:
        table.build(arguments.from_embeddings, arguments.table)
    for name in arguments.bundle or BUNDLES:
        document = train(BUNDLES[name], arguments.table, arguments.models / name)
        for key, row in document["figures"].items():
            print(f"{name}\t{key}\t{row['value']}\t{row['low']}\t{row['high']}")


if __name__ == "__main__":
    main()
