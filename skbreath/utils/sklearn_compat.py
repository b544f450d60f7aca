"""Import the private names of scikit-learn that this package uses, in one place.

scikit-learn may move or remove these names in any release. Each is imported when it is
first used, because some of their modules take long to import. What scikit-learn 1.6 to
1.8 lack is here and in `calibration_compat`.
"""

from importlib import import_module

_MODULES = {
    "BaseForest": "sklearn.ensemble._forest",
    "BaseGradientBoosting": "sklearn.ensemble._gb",
    "BaseHistGradientBoosting": (
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting"
    ),
    "BaseSearchCV": "sklearn.model_selection._search",
    "HasMethods": "sklearn.utils._param_validation",
    "Interval": "sklearn.utils._param_validation",
    "Options": "sklearn.utils._param_validation",
    "PREDICTOR_RECORD_DTYPE": "sklearn.ensemble._hist_gradient_boosting.common",
    "StrOptions": "sklearn.utils._param_validation",
    "Tree": "sklearn.tree._tree",
    "TreePredictor": "sklearn.ensemble._hist_gradient_boosting.predictor",
    "_MultimetricScorer": "sklearn.metrics._scorer",
    "_check_feature_names_in": "sklearn.utils.validation",
    "_check_method_params": "sklearn.utils.validation",
    "_check_response_method": "sklearn.utils.validation",
    "_check_sample_weight": "sklearn.utils.validation",
    "_estimator_has": "sklearn.utils.validation",
    "_fit_context": "sklearn.base",
    "_insert_error_scores": "sklearn.model_selection._validation",
    "_num_samples": "sklearn.utils.validation",
    "_print_elapsed_time": "sklearn.utils._user_interface",
    "_safe_indexing": "sklearn.utils",
    "_set_random_states": "sklearn.ensemble._base",
    "validate_params": "sklearn.utils._param_validation",
}


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


class _NoCallbacks:
    """Stand in for the context of callbacks, which scikit-learn has from 1.9 on."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def _itself(self, *args, **kwargs):
        return self

    subcontext = propagate_callback_context = _itself
    call_on_fit_task_begin = call_on_fit_task_end = _itself


def callback_context(estimator, **settings):
    """Start the context of callbacks of an estimator's ``fit``."""
    start = getattr(estimator, "_init_callback_context", None)
    return _NoCallbacks() if start is None else start(**settings)


def _fit_and_score(*args, callback_ctx, caller, **settings):
    """Call scikit-learn's function, with callbacks if it has them."""
    from sklearn.model_selection._validation import _fit_and_score

    if not isinstance(callback_ctx, _NoCallbacks):
        settings |= {"callback_ctx": callback_ctx, "caller": caller}
    return _fit_and_score(*args, **settings)
