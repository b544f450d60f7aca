"""The model that decides, inside of what was wrapped around it."""

from sklearn.frozen import FrozenEstimator

__all__ = ["inner_model"]


def inner_model(model):
    """Get the model that a fitted wrapper hands its input to, unchanged.

    A search, a :class:`~skbreath.FineTunedClassifier` and a
    :class:`~sklearn.frozen.FrozenEstimator` predict what the model in them predicts,
    so that its threshold, its steps and its reader are theirs.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    inner : estimator
        `model` itself if it is none of these, or not fitted.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.naive_bayes import GaussianNB
    >>> search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=2)
    >>> inner_model(search.fit([[0.0], [1.0], [2.0], [3.0]], list("EIEI")))
    GaussianNB()
    """
    while (inner := _inside(model)) is not None:
        model = inner
    return model


def _inside(model):
    if isinstance(model, FrozenEstimator):  # first: it answers for what it holds
        return model.estimator
    if hasattr(model, "best_estimator_"):
        return model.best_estimator_
    if hasattr(model, "model_"):
        # Here, as its module rests on those that need this one. By its class: what
        # others call `model_` need not be given the same X.
        from .fine_tuning import FineTunedClassifier

        return model.model_ if isinstance(model, FineTunedClassifier) else None
    return None
