"""Small classifiers that tell what a meta-estimator did with them."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB

FITS = []  # one dict per fit of a RecordingClassifier in this process


class RecordingClassifier(ClassifierMixin, BaseEstimator):
    """A naive Bayes that records every fit and takes groups, as our nets do."""

    __metadata_request__fit = {"groups": True}

    def __init__(self, name="recorder", var_smoothing=1e-9, fails=False):
        self.name = name
        self.var_smoothing = var_smoothing
        self.fails = fails

    def fit(self, X, y, groups=None):
        FITS.append({"name": self.name, "X": X, "y": y, "groups": groups})
        if self.fails:
            raise RuntimeError("told to fail")
        X = np.asarray(X).reshape(len(X), -1)
        self.model_ = GaussianNB(var_smoothing=self.var_smoothing).fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(np.asarray(X).reshape(len(X), -1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class ScoreReader(ClassifierMixin, BaseEstimator):
    """Learns nothing: column `column` of X is the probability of the last class."""

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        score = np.asarray(X)[:, self.column]
        return np.column_stack([1 - score, score])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
