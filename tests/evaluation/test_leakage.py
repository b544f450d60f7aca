"""`check_leakage`, and that nothing of this package leaks."""

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skbreath import (
    BreathFeatures,
    ChannelScaler,
    OptunaSearchCV,
    ResidualCNNClassifier,
    SummaryPooling,
    ThresholdClassifier,
    WeightedVotingClassifier,
    check_leakage,
    evaluate,
    load_kaggle_breath,
    make_breath_classifier,
    make_breath_sounds,
)

SMOOTHING = {"var_smoothing": FloatDistribution(1e-9, 1e-3, log=True)}
FITS = []  # rows and groups of every fit of a Watcher


class Watcher(ClassifierMixin, BaseEstimator):
    """A naive Bayes that records the rows (column 0) it was fitted on."""

    __metadata_request__fit = {"groups": True}

    def __init__(self, var_smoothing=1e-9):
        self.var_smoothing = var_smoothing

    def fit(self, X, y, groups=None):
        FITS.append((X[:, 0].astype(int), groups))
        self.model_ = GaussianNB(var_smoothing=self.var_smoothing).fit(X[:, 1:], y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X[:, 1:])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def breath_model(**settings):
    features = BreathFeatures(n_mels=8, groups=("mel", "rms"))
    net = ResidualCNNClassifier(hidden_channels=4, max_epochs=2, random_state=0)
    members = [
        ("net", make_pipeline(features, ChannelScaler(), net)),
        ("linear", make_pipeline(features, SummaryPooling(), GaussianNB())),
    ]
    return make_breath_classifier(members, cv=2, random_state=0, **settings)


def table_of(n_groups=24, size=6, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), size)
    y = np.where(rng.random(len(groups)) < 0.5, "I", "E")
    X = rng.normal(size=(len(groups), 4)) + 1.5 * (y == "I")[:, None]
    X[:, 0] = np.arange(len(groups))
    return X, y, groups


def leaks(model, X, y, groups, **settings):
    table = check_leakage(model, X, y, groups, **settings)
    return table.index[table["leaks"]].tolist()


def test_whole_classifier_does_not_leak(breath_folder):
    clips = load_kaggle_breath(breath_folder)
    table = check_leakage(breath_model(), clips.paths, clips.target, clips.recording)
    assert not table["leaks"].any(), table.to_string()
    expected = ["copies", "groups", "folds", "names", "order", "labels"]
    assert table.index.tolist() == expected


class ReadsNames(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.array([[int(str(path)[-6:-4])] for path in X], float)


class CountsRows(ReadsNames):
    def transform(self, X):
        return np.c_[X[:, 1:], np.arange(len(X))]


class ScalesByBatch(ReadsNames):
    def transform(self, X):
        return X[:, 1:] - X[:, 1:].mean(axis=0)


def test_names_are_found_out(breath_folder):
    clips = load_kaggle_breath(breath_folder)
    model = make_pipeline(ReadsNames(), LogisticRegression())
    assert "names" in leaks(model, clips.paths, clips.target, clips.recording)


@pytest.mark.parametrize("step", [CountsRows(), ScalesByBatch()])
def test_order_and_neighbours_are_found_out(step):
    X, y, groups = table_of()
    assert leaks(make_pipeline(step, GaussianNB()), X, y, groups) == ["order"]
    assert leaks(GaussianNB(), X[:, 1:], y, groups) == []


def test_copies_in_other_groups_are_found_out():
    X, y, groups = table_of()
    X[30] = X[2]
    table = check_leakage(GaussianNB(), X, y, groups)
    assert (
        table.loc["copies", "leaks"]
        and "rows 2 and 30" in table.loc["copies", "detail"]
    )
    X[30], X[4], y[4] = X[31], X[5], y[5]
    groups[30] = groups[31]
    y[30] = y[31]  # the same clip twice in one recording is only a waste
    assert leaks(GaussianNB(), X, y, groups) == []


def test_parts_that_hold_rows_out_without_groups_are_found_out():
    X, y, groups = table_of()
    without_groups = HistGradientBoostingClassifier(early_stopping=True, max_iter=5)
    table = check_leakage(make_pipeline(without_groups), X, y, groups)
    assert table.loc["groups", "leaks"]
    assert "histgradientboostingclassifier" in table.loc["groups", "detail"]
    with_groups = ResidualCNNClassifier(hidden_channels=4, max_epochs=1, random_state=0)
    assert "groups" not in leaks(with_groups, X, y, groups)


def test_torn_folds_are_found_out():
    X, y, groups = table_of()
    torn = [(np.arange(75), np.arange(75, 144))]
    assert leaks(GaussianNB(), X, y, groups, cv=torn) == ["folds"]


def test_model_that_was_trained_on_the_clips_is_found_out(breath_folder):
    clips = load_kaggle_breath(breath_folder)
    model = breath_model().fit(clips.paths[:40], clips.target[:40])
    data = clips.paths[30:], clips.target[30:], clips.recording[30:]
    table = check_leakage(model, *data, cv=2)
    assert table.loc["known clips", "leaks"]
    detail = table.loc["known clips", "detail"]
    assert "10 of these clips (expected if they are its training data)" in detail
    for text in table["detail"]:  # printed in full
        assert text in str(table) and text in table._repr_html_()
    new = [part[40:] for part in (clips.paths, clips.target, clips.recording)]
    assert not check_leakage(model, *new, cv=2).loc["known clips", "leaks"]


def test_search_whose_best_model_was_trained_on_the_clips_is_found_out():
    sounds = make_breath_sounds(40, random_state=0)
    threshold = ThresholdClassifier(GaussianNB(), pos_label="I", cv=2)
    model = make_pipeline(BreathFeatures(groups=("rms",)), SummaryPooling(), threshold)
    grid = {"thresholdclassifier__estimator__var_smoothing": [1e-9]}
    search = GridSearchCV(model, grid, cv=2).fit(sounds.waveforms, sounds.target)
    data = sounds.waveforms, sounds.target, np.repeat(np.arange(10), 4)
    assert check_leakage(search, *data, cv=2).loc["known clips", "leaks"]


@pytest.mark.parametrize(
    "model",
    [
        WeightedVotingClassifier([("w", Watcher())], weights="learned", cv=3),
        ThresholdClassifier(Watcher(), pos_label="I", cv=3),
        ThresholdClassifier(Watcher(), pos_label="I", cv=0.3, refit=False),
        OptunaSearchCV(Watcher(), SMOOTHING, n_trials=1, cv=3, random_state=0),
        ThresholdClassifier(
            WeightedVotingClassifier([("w", Watcher())], weights="learned", cv=3),
            pos_label="I",
        ),
    ],
    ids=["vote", "threshold", "hold-out", "search", "vote and threshold"],
)
def test_no_split_shares_a_recording(model):
    X, y, groups = table_of()
    FITS.clear()
    evaluate(clone(model), X, y, groups, cv=3, n_resamples=5)
    assert len(FITS) >= 3
    outer = [
        set(groups[test]) for _, test in StratifiedGroupKFold(3).split(X, y, groups)
    ]
    for rows, given in FITS:
        assert given is not None and given.tolist() == groups[rows].tolist()
        # Whole recordings or nothing of them, and none of some outer fold.
        seen = set(groups[rows])
        assert len(rows) == np.isin(groups, list(seen)).sum()
        assert any(not (seen & held_out) for held_out in outer)


def fitted_state(model):
    """All that was learned, as bytes."""
    threshold = model["classifier"]
    vote = threshold.estimator_
    net, linear = vote.estimators_
    weights = net[-1].net_.module_.state_dict()
    return [
        threshold.best_threshold_,
        vote.weights_.tobytes(),
        net[1].mean_.tobytes(),
        net[1].scale_.tobytes(),
        *(tensor.numpy().tobytes() for tensor in weights.values()),
        linear[-1].theta_.tobytes(),
    ]


class Kept(ClassifierMixin, BaseEstimator):
    """Keeps every model that an evaluation fits."""

    models = []
    __metadata_request__fit = {"groups": True}

    def __init__(self, model):
        self.model = model

    def fit(self, X, y, groups=None):
        self.model_ = clone(self.model).fit(X, y, groups=groups)
        self.classes_ = self.model_.classes_
        Kept.models.append(self.model_)
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X)

    def predict(self, X):
        return self.model_.predict(X)


def test_poisoned_held_out_rows_change_nothing_fitted(breath_folder):
    from skbreath import AudioReader

    clips = load_kaggle_breath(breath_folder)
    X = AudioReader().fit_transform(clips.paths)
    y, groups = clips.target, clips.recording
    splits = list(StratifiedGroupKFold(2).split(X, y, groups))[:1]
    held_out = splits[0][1]
    poisoned, labels = X.copy(), y.copy()
    poisoned[held_out] = np.random.default_rng(0).normal(size=X[held_out].shape)
    labels[held_out] = np.where(y[held_out] == "I", "E", "I")
    states = []
    for clips_given, labels_given in ((X, y), (poisoned, labels)):
        Kept.models.clear()
        model = Kept(breath_model())
        evaluate(model, clips_given, labels_given, groups, cv=splits, n_resamples=5)
        (fitted,) = Kept.models
        states.append(fitted_state(fitted))
    assert states[0] == states[1]


def test_poisoned_held_out_rows_change_no_tuning():
    X, y, groups = table_of()
    train, held_out = next(StratifiedGroupKFold(3).split(X, y, groups))
    poisoned, labels = X.copy(), y.copy()
    poisoned[held_out] = 1e6
    labels[held_out] = "I"
    found = []
    for clips, targets in ((X, y), (poisoned, labels)):
        space = {"C": FloatDistribution(1e-3, 1e3, log=True)}
        search = OptunaSearchCV(
            LogisticRegression(), space, n_trials=4, cv=3, random_state=0
        )
        search.fit(clips[train], targets[train], groups=groups[train])
        found.append((search.best_params_, search.best_estimator_.coef_.tobytes()))
    assert found[0] == found[1]


def test_permuted_labels_score_at_chance(breath_folder):
    clips = load_kaggle_breath(breath_folder)
    y = np.random.default_rng(1).permutation(clips.target)
    table = evaluate(breath_model(), clips.paths, y, clips.recording, cv=3).table
    assert table.loc["roc_auc", "low"] < 0.5 < table.loc["roc_auc", "high"]
    honest = evaluate(
        breath_model(), clips.paths, clips.target, clips.recording, cv=3
    ).table
    assert honest.loc["roc_auc", "low"] > 0.5


def test_names_and_indices_do_not_reach_the_model(breath_folder, tmp_path):
    """The same files under shuffled names, in a frame with a shuffled index."""
    import pandas as pd

    clips = load_kaggle_breath(breath_folder)
    rng = np.random.default_rng(2)
    renamed = []
    numbers = rng.permutation(len(clips.paths))
    for path, number in zip(clips.paths, numbers, strict=True):
        renamed.append(tmp_path / f"{number}.wav")
        renamed[-1].symlink_to(path)
    index = rng.permutation(len(renamed))
    frame = pd.Series([str(path) for path in renamed], index=index)
    target = pd.Series(clips.target, index=index)
    groups = pd.Series(clips.recording, index=index)
    first = breath_model().fit(
        clips.paths, clips.target, classifier__groups=clips.recording
    )
    second = breath_model().fit(frame, target, classifier__groups=groups)
    assert fitted_state(first) == fitted_state(second)
    order = rng.permutation(len(renamed))
    shuffled = second.predict_proba(frame.iloc[order])
    expected = first.predict_proba(clips.paths)[order]
    np.testing.assert_allclose(shuffled, expected, atol=1e-6)
