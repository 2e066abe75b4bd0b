"""scikit-learn's metrics of data sets: JSON lists of [synthetic, score] in, an object a set out.

The EER is the published one: the root of 1 - x - tpr(x) with straight lines between the points of
the ROC curve (`brentq` on `interp1d`, as pyannote, speechbrain and others have it).
"""

import json
import sys
import warnings

import numpy
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn import metrics


def eer(fpr, tpr):
    """By root finding; where the curve is vertical at the root both sides of it are tried."""
    curve = interp1d(fpr, tpr)
    if curve(0.0) >= 1.0 or (tpr[fpr == 0.0]).max() >= 1.0:
        return 0.0
    return brentq(lambda x: 1.0 - x - curve(x), 0.0, 1.0, xtol=1e-14)


def ece(truth, scores, bins=10):
    """Distances in the bins of `calibration_curve`, averaged by how many are in them."""
    edges = numpy.linspace(0.0, 1.0, bins + 1)
    counts = numpy.bincount(numpy.searchsorted(edges[1:-1], scores), minlength=bins)
    true, predicted = metrics_curve(truth, scores, bins)
    return float(numpy.sum(numpy.abs(true - predicted) * counts[counts > 0]) / len(scores))


def metrics_curve(truth, scores, bins):
    """Share of synthetic ones and mean score of each bin that isn't empty."""
    from sklearn.calibration import calibration_curve

    return calibration_curve(truth, scores, n_bins=bins, strategy="uniform")


def figures(pairs):
    """All metrics of one set; None where scikit-learn would divide by zero."""
    truth = numpy.array([int(y) for y, _ in pairs])
    scores = numpy.array([s for _, s in pairs])
    called = (scores >= 0.5).astype(int)
    fpr, tpr, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    found = {
        "roc_auc": metrics.roc_auc_score(truth, scores),
        "average_precision": metrics.average_precision_score(truth, scores),
        "eer": eer(fpr, tpr),
        "log_loss": metrics.log_loss(truth, scores, labels=[0, 1]),
        "brier": metrics.brier_score_loss(truth, scores),
        "ece": ece(truth, scores),
        "accuracy": metrics.accuracy_score(truth, called),
        "precision": metrics.precision_score(truth, called, zero_division=numpy.nan),
        "recall": metrics.recall_score(truth, called, zero_division=numpy.nan),
        "f1": metrics.f1_score(truth, called, zero_division=numpy.nan),
    }
    for rate in (0.1, 0.01, 0.001):
        found[f"tpr_at_fpr_{rate}"] = tpr[fpr <= rate].max()
    return {name: None if numpy.isnan(v) else float(v) for name, v in found.items()}


warnings.simplefilter("ignore")
json.dump([figures(pairs) for pairs in json.load(sys.stdin)], sys.stdout)
