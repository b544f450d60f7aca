"""The models of the folds of a cross-fit, kept and averaged."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

__all__ = ["FoldAverage"]


class FoldAverage(ClassifierMixin, BaseEstimator):
    """Average the probabilities of models fitted on the training parts of folds.

    Parameters
    ----------
    estimators : list of classifier
        Fitted, one per fold, that know the same classes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Of the first.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["E", "E", "I", "I"]
    >>> average = FoldAverage([GaussianNB().fit(X, y), GaussianNB().fit(X, y)])
    >>> average.predict([[0.5], [2.5]])
    array(['E', 'I'], dtype='<U1')
    """

    def __init__(self, estimators):
        self.estimators = estimators

    @property
    def classes_(self):
        return self.estimators[0].classes_

    @property
    def n_features_in_(self):
        return self.estimators[0].n_features_in_

    @property
    def feature_names_in_(self):
        return self.estimators[0].feature_names_in_

    def predict_proba(self, X):
        """Average the models' probabilities, of shape ``(n_samples, n_classes)``."""
        return np.mean([model.predict_proba(X) for model in self.estimators], axis=0)

    def predict(self, X):
        """Give the most probable label of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_is_fitted__(self):
        return True
