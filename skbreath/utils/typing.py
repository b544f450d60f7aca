"""Name the types that signatures share; imported by type checkers only."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

__all__ = [
    "Clips",
    "Column",
    "FilePath",
    "Folds",
    "Members",
    "PhaseTables",
    "Recordings",
    "Scoring",
    "Seed",
]

FilePath: TypeAlias = str | os.PathLike[str]
"""A file or folder."""

Column: TypeAlias = Sequence[Any] | np.ndarray | pd.Series
"""One value for each row: labels, groups, weights."""

Clips: TypeAlias = Sequence[FilePath] | ArrayLike | pd.Series | pd.DataFrame
"""Paths or waveforms."""

Recordings: TypeAlias = Sequence[FilePath] | Sequence[np.ndarray]
"""Paths, or waveforms of any length."""

PhaseTables: TypeAlias = pd.DataFrame | Sequence[pd.DataFrame]
"""Phases of one recording, or of several."""

Seed: TypeAlias = int | np.random.RandomState | None
"""As scikit-learn's ``random_state``."""

Scoring: TypeAlias = str | Callable[..., float]
"""Name of a scorer, or ``scorer(estimator, X, y)``."""

Members: TypeAlias = Sequence[tuple[str, Any]]
"""Named estimators."""


class Splitter(Protocol):
    """Cross-validation splitter, as those of scikit-learn."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterable[Any]:
        """Yield rows to fit and rows to test."""

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Count the folds."""


Folds: TypeAlias = int | Splitter | Iterable[tuple[ArrayLike, ArrayLike]]
"""As scikit-learn's ``cv``."""
