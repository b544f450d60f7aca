"""Metrics, data and enqueued parameters that a search cannot use."""

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from recording_classifier import FITS, RecordingClassifier
from searches import SMOOTHING, X, groups, search_for, y
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score, make_scorer, precision_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB

from skbreath import make_breath_sounds, tune_breath_classifier


@pytest.fixture(autouse=True)
def _forget_fits():
    FITS.clear()


# The positive class


@pytest.mark.parametrize("pos_label", ["I", "E"])
def test_a_metric_of_a_positive_class_takes_pos_label(pos_label):
    search = search_for(GaussianNB(), SMOOTHING, scoring="f1", pos_label=pos_label)
    search.fit(X, y)
    trials = search.cv_results_["params"]
    grid = GridSearchCV(
        GaussianNB(),
        {"var_smoothing": [params["var_smoothing"] for params in trials]},
        scoring=make_scorer(f1_score, pos_label=pos_label),
        cv=3,
    ).fit(X, y)
    ours = search.cv_results_["mean_test_score"]
    assert np.array_equal(ours, grid.cv_results_["mean_test_score"])
    assert search.score(X, y) == grid.score(X, y)


@pytest.mark.parametrize(
    "scoring", [["f1", "precision"], {"f1": "f1", "precision": "precision"}]
)
def test_so_do_several_metrics(scoring):
    search = search_for(GaussianNB(), SMOOTHING, scoring=scoring, pos_label="E")
    search.set_params(refit="precision").fit(X, y)
    plain = search_for(GaussianNB(), SMOOTHING, refit="precision")
    plain.set_params(
        scoring={
            "f1": make_scorer(f1_score, pos_label="E"),
            "precision": make_scorer(precision_score, pos_label="E"),
        }
    ).fit(X, y)
    for key in ("mean_test_f1", "mean_test_precision"):
        assert np.array_equal(search.cv_results_[key], plain.cv_results_[key])


@pytest.mark.parametrize(
    "params, message",
    [
        ({"scoring": "f1"}, r"scoring='f1'.*\['E', 'I'\].*pos_label='I'"),
        (
            {"scoring": ["accuracy", "recall"], "refit": "recall"},
            "scoring='recall'.*pos_label",
        ),
        ({"scoring": "f1", "pos_label": "X"}, "pos_label='X' is not a class of y"),
        ({"pos_label": "X"}, "pos_label='X' is not a class of y"),
    ],
)
def test_a_positive_class_that_is_missing_or_wrong_is_an_error_at_once(params, message):
    search = search_for(RecordingClassifier(), SMOOTHING, **params)
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)
    assert not FITS


def test_a_metric_of_two_classes_for_three():
    three = np.arange(60) % 3
    search = search_for(RecordingClassifier(), SMOOTHING, scoring="f1")
    with pytest.raises(ValueError, match=r"'f1' is for two classes.*'f1_macro'"):
        search.fit(X, three)
    assert not FITS
    search.set_params(scoring="f1_macro").fit(X, three)


def test_a_study_of_another_positive_class_is_another_study(tmp_path):
    search = search_for(GaussianNB(), SMOOTHING, scoring="f1", pos_label="I")
    search.set_params(storage=tmp_path / "trials.db", study_name="mine").fit(X, y)
    with pytest.raises(ValueError, match="different scoring"):
        search.set_params(pos_label="E").fit(X, y)


def test_tuning_takes_pos_label_and_refuses_a_wrong_one_before_any_trial():
    sounds = make_breath_sounds(40, random_state=0)
    settings = {"n_trials": 2, "n_members": 2, "trial_epochs": 1, "cv": 2}
    settings["preset"] = "reference"
    result = tune_breath_classifier(
        sounds.waveforms, sounds.target, scoring="f1", random_state=0, **settings
    )
    assert np.isfinite(result.search.best_score_)
    with pytest.raises(
        ValueError, match="'inhale' is not a class of y: .*classifier.pos_label='I'"
    ):
        tune_breath_classifier(
            sounds.waveforms,
            sounds.target,
            pos_label="inhale",
            **settings,
        )


# Data


def with_gap(labels, gap):
    labels = labels.astype(object)
    labels[[7, 9]] = gap
    return labels


@pytest.mark.parametrize(
    "labels, message",
    [
        (None, "requires y to be passed, but the target y is None"),
        (np.full(60, "I"), r"y has only one class, \['I'\]"),
        (y[:59], "X has 60 rows, but y has 59"),
        (with_gap(y, np.nan), "y has 2 missing values, the first at row 7"),
        (list(with_gap(y, None)), "y has 2 missing values, the first at row 7"),
        (with_gap(np.arange(60.0) % 2, np.nan), "y has 2 missing values"),
        (pd.Series(with_gap(y, pd.NA)), "y has 2 missing values"),
        (pd.Series(y, dtype="category").where(X[:, 0] > 0), "missing values"),
        (X[:, 0], "Unknown label type: continuous"),
        (with_gap(y, 1), "y mixes types of labels: int, str"),
    ],
)
@pytest.mark.parametrize("error_score", [np.nan, 0.0])
def test_wrong_labels_are_an_error_before_any_fit(labels, message, error_score):
    search = search_for(RecordingClassifier(), SMOOTHING, error_score=error_score)
    with pytest.raises(ValueError, match=message):
        search.fit(X, labels)
    assert not FITS


def test_labels_in_a_list_may_be_text_of_numpy():
    labels = [str(label) if row % 2 else label for row, label in enumerate(y)]
    search = search_for(GaussianNB(), SMOOTHING, scoring="f1", pos_label="I")
    assert search.fit(X, labels).classes_.tolist() == ["E", "I"]


def test_wrong_targets_of_a_regressor():
    search = search_for(Ridge(), {"alpha": FloatDistribution(0.1, 1)})
    for value in (np.nan, np.inf):
        target = X[:, 0].copy()
        target[3] = value
        with pytest.raises(ValueError, match="y has 1 .* the first at row 3"):
            search.fit(X, target)
    search.fit(X, np.column_stack([X[:, 0], X[:, 1]]))  # several targets
    search.fit(X.tolist(), X[:, 0].tolist())
    with pytest.raises(ValueError, match="X has 60 rows, but groups has 10"):
        search.fit(X, X[:, 0], groups=groups[:10])


# Enqueued parameters

SPACE = {
    "C": FloatDistribution(1e-3, 10, log=True),
    "max_iter": IntDistribution(10, 100, step=10),
    "solver": CategoricalDistribution(["lbfgs", "saga"]),
}


def conditional(trial):
    if trial.suggest_categorical("kind", ["plain", "smooth"]) == "plain":
        return {"var_smoothing": 0.0}
    return {"var_smoothing": trial.suggest_float("smoothing", 0, 1)}


@pytest.mark.parametrize(
    "entry, message",
    [
        ({"c": 1.0}, r"enqueue\[1\] names 'c'.*not searched.*'C'"),
        ({"C": 50}, r"enqueue\[1\] has C=50, .*0\.001 to 10"),
        ({"C": float("nan")}, r"enqueue\[1\] has C=nan"),
        (
            {"C": "1.0"},
            r"enqueue\[1\] has C='1\.0', expected a number from 0\.001 to 10",
        ),
        ({"C": True}, r"enqueue\[1\] has C=True, expected a number"),
        ({"C": None}, r"enqueue\[1\] has C=None, expected a number"),
        ({"max_iter": 15}, r"max_iter=15, .*10 to 100 in steps of 10"),
        ({"max_iter": 20.5}, r"max_iter=20\.5"),
        ({"solver": "sag"}, r"solver='sag', .*'lbfgs', 'saga'"),
        ("C=1", r"enqueue\[1\] must be a dict of parameters, got 'C=1'"),
    ],
)
def test_a_wrong_enqueued_entry_is_named_before_any_trial(entry, message, tmp_path):
    search = search_for(RecordingClassifier(), SPACE, enqueue=[{"C": 1.0}, entry])
    search.set_params(storage=tmp_path / "trials.db", estimator=Recorder())
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)
    assert not FITS
    assert not (tmp_path / "trials.db").exists()


@pytest.mark.parametrize(
    "entry, message",
    [
        (
            {"kind": "rough"},
            r"enqueue\[0\] is not in the space: 'rough' not in .'plain'",
        ),
        ({"kind": "smooth", "smoothing": 2}, r"enqueue\[0\] has smoothing=2, .*0 to 1"),
        ({"kind": "plain", "smoothing": 0.5}, r"enqueue\[0\] names 'smoothing'"),
        ({"smoothing": 0.5}, None),  # known only once the kind is drawn
    ],
)
def test_enqueued_entries_of_a_conditional_space(entry, message):
    search = search_for(RecordingClassifier(), conditional, enqueue=[entry])
    if message is None:
        search.fit(X, y)
        return
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)
    assert not FITS


def test_a_space_may_look_at_the_study_of_its_trial():
    def space(trial):
        low = 0.1 if trial.study.study_name else 0.2
        return {"var_smoothing": trial.suggest_float("smoothing", low, 1)}

    known = [{"smoothing": 0.5}]
    search = search_for(GaussianNB(), space, enqueue=known, n_trials=1).fit(X, y)
    assert search.best_params_ == {"var_smoothing": 0.5}


def test_more_enqueued_entries_than_trials_are_refused(tmp_path):
    entries = [{"C": 1.0}, {"C": 2.0}, {"C": 3.0}]
    path = tmp_path / "trials.db"
    for storage in (None, path):
        search = search_for(Recorder(), SPACE, enqueue=entries, storage=storage)
        with pytest.raises(ValueError, match="enqueue has 3 entries, but n_trials=2"):
            search.set_params(n_trials=2).fit(X, y)
    # Nothing of it is left; and who joins a study enqueues nothing.
    for n_trials in (3, 2):
        search.set_params(n_trials=n_trials).fit(X, y)
        assert [t.state.name for t in search.study_.trials] == ["COMPLETE"] * 3
        assert [t.params["C"] for t in search.study_.trials] == [1.0, 2.0, 3.0]


def test_enqueued_numbers_may_be_those_of_numpy(tmp_path):
    entry = {"C": np.float32(0.5), "max_iter": np.int64(20), "solver": np.str_("saga")}
    search = search_for(Recorder(), SPACE, enqueue=[entry], n_trials=1)
    search.set_params(storage=tmp_path / "trials.journal").fit(X, y)
    assert search.best_params_ == {"C": 0.5, "max_iter": 20, "solver": "saga"}


class Recorder(RecordingClassifier):
    """Has the parameters of SPACE, and records its fits."""

    def __init__(self, C=1.0, max_iter=10, solver="lbfgs"):
        super().__init__()
        self.C = C
        self.max_iter = max_iter
        self.solver = solver
