"""Classify breath sounds as inhale or exhale, with scikit-learn.

Every public name is importable from here; ``__init__.pyi`` lists them. Nothing heavy
(torch, numba, scikit-learn, pandas) is imported before a name that needs it is used.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
__all__ = ["__version__", *__all__]
