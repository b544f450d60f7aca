"""The fast trees give what scikit-learn gives, to the bit."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from skbreath.ensemble.boosted_trees import fast_version


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_to_the_slow_ones(n_classes, dtype):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(900, 12)).astype(dtype)
    rows[:, 3] = np.round(rows[:, 3])  # ties with thresholds
    classes = (rows[:, 0] + rows[:, 3] > 0).astype(int) + (rows[:, 5] > 1)
    classes = np.minimum(classes, n_classes - 1)
    slow = HistGradientBoostingClassifier(max_iter=30, random_state=0)
    slow.fit(rows, classes)
    fast = fast_version(slow)
    assert fast is not slow
    assert np.array_equal(fast.predict_proba(rows), slow.predict_proba(rows))
    parts = [fast.predict_proba(rows[i : i + 7]) for i in range(0, len(rows), 7)]
    assert np.array_equal(np.concatenate(parts), fast.predict_proba(rows))


def test_others_are_left_alone():
    rows = np.random.default_rng(0).normal(size=(60, 2))
    classes = (rows[:, 0] > 0).astype(int)
    linear = LogisticRegression().fit(rows, classes)
    assert fast_version(linear) is linear
    rows[:, 1] = np.arange(60) % 3
    categorical = HistGradientBoostingClassifier(
        max_iter=2, categorical_features=[1]
    ).fit(rows, classes)
    assert fast_version(categorical) is categorical
