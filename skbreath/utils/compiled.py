"""Compile functions with numba."""

from numba import njit

__all__ = ["cached_kernel", "kernel"]

_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    # Allow fused multiply-add and ignore NaN, which the estimators have excluded. Never
    # "reassoc": sums must not depend on how a loop was vectorised.
    "fastmath": {"contract", "nnan", "nsz"},
}
kernel = njit(**_OPTIONS)


def cached_kernel(function):
    """Compile `function` once per machine; once per process where that fails."""
    try:
        compiled = njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # neither this folder nor the user's can be written to
        return kernel(function)
    cache = compiled._cache
    load = cache.load_overload

    def load_or_compile(*args):
        try:
            return load(*args)
        except Exception:  # damaged, as by a power cut: any error of pickle
            cache.flush()
            return None

    cache.load_overload = load_or_compile
    return compiled
