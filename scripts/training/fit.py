"""Fitting: the linear head, its calibration, and predictions for groups that it never saw."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

STRENGTH = 0.01  # C of the logistic regression, on standardised embeddings
FOLDS = 5


def fit_head(embedding, label):
    """(weights, bias) of a linear logit on the raw embedding: the standardisation is folded in.

    Classes weigh the same, whatever their counts. Newton steps to convergence and nine significant
    digits make the result independent of the machine's linear algebra.
    """
    scaler = StandardScaler().fit(embedding)
    model = LogisticRegression(
        C=STRENGTH, class_weight="balanced", solver="newton-cholesky", tol=1e-12, max_iter=200
    ).fit(scaler.transform(embedding), label)
    weights = model.coef_[0] / scaler.scale_
    bias = model.intercept_[0] - weights @ scaler.mean_
    return np.array([nine_digits(value) for value in weights]), nine_digits(bias)


def nine_digits(value):
    return float(f"{value:.9g}")


def folds(table, seed):
    """Fold number of each clip. A group, thus a generator family, is never split."""
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    fold = np.empty(len(table.label), dtype=int)
    for number, (_, test) in enumerate(splitter.split(table.embedding, table.label, table.group)):
        fold[test] = number
    return fold


def out_of_fold_logits(table, fold):
    """Each clip's logit by a head that saw nothing of its group."""
    logit = np.empty(len(table.label))
    for number in np.unique(fold):
        test = fold == number
        weights, bias = fit_head(table.embedding[~test], table.label[~test])
        logit[test] = table.embedding[test] @ weights + bias
    return logit


def balanced_weights(label):
    """Weights under which both classes have the same mass and the mean is 1."""
    return np.where(label == 1, 0.5 / label.mean(), 0.5 / (1 - label.mean()))


def fit_platt(logit, label):
    """(a, b) of p = sigmoid(a·logit + b) by maximum likelihood (Platt 1999), classes balanced."""
    design = np.column_stack([logit, np.ones_like(logit)])
    weight, parameters = balanced_weights(label), np.zeros(2)
    for _ in range(100):
        p = sigmoid(design @ parameters)
        gradient = design.T @ (weight * (label - p))
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(hessian, gradient)
        parameters = parameters + step
        if np.abs(step).max() < 1e-13:
            break
    return tuple(nine_digits(value) for value in parameters)


def cross_fitted_scores(logit, label, fold):
    """Calibrated scores where each fold's calibration comes from the other folds."""
    score = np.empty_like(logit)
    for number in np.unique(fold):
        test = fold == number
        a, b = fit_platt(logit[~test], label[~test])
        score[test] = sigmoid(a * logit[test] + b)
    return score


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))
