"""Figures on held-out predictions, with intervals from resampling whole groups."""

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from . import fit

RESAMPLES = 2000
ECE_BINS = 10
ASSIGNMENTS = 10


def recall_at_fpr(label, score, fpr):
    """Largest share of generated clips above a threshold that at most `fpr` of camera clips pass."""
    false, true, _ = roc_curve(label, score, drop_intermediate=False)
    return true[false <= fpr].max()


def brier(label, score):
    return np.average((score - label) ** 2, weights=fit.balanced_weights(label))


def ece(label, score):
    """Expected calibration error over ten bins of equal width, classes balanced."""
    weight = fit.balanced_weights(label)
    index = np.minimum((score * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = [abs((weight * (score - label))[index == i].sum()) for i in range(ECE_BINS)]
    return sum(gaps) / weight.sum()


def ranking(table, logit, rows):
    """The figures that need an order only, on the clips `rows` (with repeats when resampled)."""
    label, value, matched = table.label[rows], logit[rows], table.matched[rows]
    return {
        "roc_auc": roc_auc_score(label, value),
        "roc_auc_matched": roc_auc_score(label[matched], value[matched]),
        "recall_at_fpr_5": recall_at_fpr(label, value, 0.05),
        "recall_at_fpr_2": recall_at_fpr(label, value, 0.02),
    }


def headline(table, logit, score, rows):
    """Every figure that gets an interval; `score` is calibrated on other folds than the clip's."""
    label, value = table.label[rows], score[rows]
    return ranking(table, logit, rows) | {"brier": brier(label, value), "ece": ece(label, value)}


def with_intervals(table, logit, score, seed):
    """`headline` with 95 % percentile intervals, resampling groups with replacement."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(table.group == name) for name in np.unique(table.group)]
    samples = []
    while len(samples) < RESAMPLES:
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        label, matched = table.label[rows], table.matched[rows]
        if len(set(label)) == 2 and len(set(label[matched])) == 2:
            samples.append(headline(table, logit, score, rows))
    result = {}
    for name, value in headline(table, logit, score, np.arange(len(score))).items():
        low, high = np.percentile([sample[name] for sample in samples], [2.5, 97.5])
        result[name] = {"value": value, "low": low, "high": high}
    return result


def families(table, score):
    """Each generator family, left out of the training, against all camera clips."""
    camera = table.label == 0
    result = []
    for group in sorted(set(table.group[~camera])):
        own = (table.group == group) & ~camera
        rows = own | camera
        auc = roc_auc_score(table.label[rows], score[rows])
        result.append({"group": str(group), "clips": int(own.sum()), "roc_auc": auc})
    return sorted(result, key=lambda row: -row["clips"])


def thresholds(label, score):
    """(substantial, little): at most 2 % of camera clips reach the first, 90 % of generated clips the second."""
    camera = np.sort(score[label == 0])[::-1]
    allowed = int(0.02 * len(camera))
    substantial = np.floor(camera[allowed] * 1e4 + 1) / 1e4
    little = np.floor(np.quantile(score[label == 1], 0.10) * 1e4) / 1e4
    return float(substantial), float(little)


def shares(label, score, limits):
    """How many clips of each class get each verdict, `limits` one pair or one pair a clip."""
    substantial, little = limits
    result = {}
    for name, value in (("generated", 1), ("camera", 0)):
        own = label == value
        result[name] = {
            "clips": int(own.sum()),
            "substantial_evidence": int((own & (score >= substantial)).sum()),
            "uncertain": int((own & (score < substantial) & (score >= little)).sum()),
            "little_evidence": int((own & (score < little)).sum()),
        }
    return result


def unseen_thresholds(logit, label, fold):
    """As `shares`, each fold judged by calibration and thresholds from the other folds."""
    score, limits = np.empty_like(logit), np.empty((2, len(logit)))
    for number in np.unique(fold):
        test = fold == number
        a, b = fit.fit_platt(logit[~test], label[~test])
        limits[:, test] = np.array(thresholds(label[~test], fit.sigmoid(a * logit[~test] + b)))[:, None]
        score[test] = fit.sigmoid(a * logit[test] + b)
    return shares(label, score, limits)


def fold_spread(table):
    """How the figures move when groups fall into folds differently."""
    runs = []
    for seed in range(ASSIGNMENTS):
        logit = fit.out_of_fold_logits(table, fit.folds(table, seed))
        runs.append(ranking(table, logit, np.arange(len(logit))))
    return {
        name: {"min": min(run[name] for run in runs), "max": max(run[name] for run in runs)}
        for name in runs[0]
    }
