import numpy as np
import pytest
from recording_classifier import FITS, RecordingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skbreath.ensemble.inspection import out_of_fold_proba
from skbreath.fitting.cross_fitting import check_group_cv, out_of_fold, out_of_fold_each

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
y = np.where(X[:, 0] + rng.normal(size=40) > 0, "I", "E")
groups = np.repeat(np.arange(8), 5)


def test_integer_cv_is_grouped_only_with_groups():
    assert isinstance(check_group_cv(4, y), StratifiedKFold)
    assert isinstance(check_group_cv(None, y, groups), StratifiedGroupKFold)
    assert check_group_cv(None, y, groups).get_n_splits() == 5
    for train, test in check_group_cv(4, y, groups).split(X, y, groups):
        assert not set(groups[train]) & set(groups[test])


def test_a_splitter_stays_as_it_is():
    cv = GroupKFold(3)
    assert check_group_cv(cv, y, groups) is cv


@pytest.mark.parametrize("target", [rng.normal(size=40), None])
def test_without_classes_there_is_nothing_to_stratify(target):
    cv = check_group_cv(3, target, groups, classifier=False)
    assert isinstance(cv, GroupKFold)
    assert isinstance(check_group_cv(3, target, classifier=False), KFold)


def test_too_few_groups_or_groups_of_other_length_are_errors():
    with pytest.raises(ValueError, match="cv=5 folds need at least 5 different groups"):
        check_group_cv(5, y, np.repeat([0, 1], 20))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        check_group_cv(5, y, groups[:-1])


def test_a_row_never_influences_the_scores_of_its_own_fold():
    splits = list(KFold(4).split(X))
    before = out_of_fold(GaussianNB(), X, y, splits)
    X_poisoned, y_poisoned = X.copy(), y.copy()
    X_poisoned[0], y_poisoned[0] = 1e3, "E" if y[0] == "I" else "I"
    after = out_of_fold(GaussianNB(), X_poisoned, y_poisoned, splits)
    proba = [part[0][1]["predict_proba"] for part in (before, after)]
    assert np.array_equal(proba[0][1:], proba[1][1:])
    others = [part[1][1]["predict_proba"] for part in (before, after)]
    assert not np.allclose(*others)


def test_each_estimator_gets_its_own_fit_params_cut_to_the_fold():
    FITS.clear()
    splits = list(KFold(4).split(X))
    results, _ = out_of_fold_each(
        [RecordingClassifier(), GaussianNB()],
        X,
        y,
        splits,
        fit_params=[{"groups": groups}, None],
    )
    assert [len(folds) for folds in results] == [4, 4]
    for fit, (train, _) in zip(FITS, splits, strict=True):
        assert np.array_equal(fit["groups"], groups[train])


def test_parallel_fits_give_the_same():
    splits = list(KFold(3).split(X))
    one, two = (
        out_of_fold(GaussianNB(), X, y, splits, n_jobs=n_jobs) for n_jobs in (1, 2)
    )
    for (_, first), (_, second) in zip(one, two, strict=True):
        assert np.array_equal(first["predict_proba"], second["predict_proba"])


def test_a_class_missing_in_training_is_an_error_before_any_fit():
    FITS.clear()
    order = np.argsort(y)
    splits = [(order[:10], order[10:])]
    with pytest.raises(ValueError, match=r"fold \d, but it has none of \['I'\]"):
        out_of_fold(RecordingClassifier(), X, y, splits)
    assert not FITS


def test_a_frozen_estimator_of_other_classes_is_an_error():
    frozen = FrozenEstimator(GaussianNB().fit(X, np.where(y == "I", "in", "out")))
    with pytest.raises(ValueError, match="Expected y to have the classes"):
        out_of_fold(frozen, X, y, ShuffleSplit(1).split(X))


def test_own_probabilities_count_only_behind_steps_that_learn_nothing():
    class SelfFitted(GaussianNB):
        oof_proba_ = np.zeros((40, 2))

    model = SelfFitted()
    stateless = make_pipeline(FunctionTransformer(), "passthrough", model)
    frozen = make_pipeline(FrozenEstimator(StandardScaler().fit(X)), stateless)
    assert out_of_fold_proba(model) is out_of_fold_proba(frozen) is model.oof_proba_
    assert out_of_fold_proba(make_pipeline(StandardScaler(), model)) is None
    assert out_of_fold_proba(GaussianNB()) is None
