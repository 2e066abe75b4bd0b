"""scikit-learn's logistic regression: JSON list of {rows, synthetic, c} in, coefficients and bias out."""

import json
import sys

import numpy
from sklearn.linear_model import LogisticRegression


def fit(data):
    """Coefficients, then the bias."""
    model = LogisticRegression(C=data["c"], class_weight="balanced", tol=1e-10, max_iter=100_000)
    model.fit(numpy.array(data["rows"]), numpy.array(data["synthetic"]).astype(int))
    return [*model.coef_[0].tolist(), float(model.intercept_[0])]


json.dump([fit(data) for data in json.load(sys.stdin)], sys.stdout)
