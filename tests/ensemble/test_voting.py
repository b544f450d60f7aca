import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_classifier import FITS, RecordingClassifier, ScoreReader
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import AdaBoostClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, get_scorer, log_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbreath import WeightedVotingClassifier

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 4))
y = np.where(X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=90) > 0, "I", "E")
groups = np.arange(90) // 6
MEMBERS = [("bayes", GaussianNB()), ("linear", LogisticRegression())]


@pytest.fixture(autouse=True)
def _forget_fits():
    FITS.clear()


@parametrize_with_checks(
    [
        WeightedVotingClassifier(MEMBERS),
        WeightedVotingClassifier(MEMBERS, weights={"bayes": 1, "linear": 2}),
        WeightedVotingClassifier(MEMBERS, weights="learned", cv=3),
        WeightedVotingClassifier(
            MEMBERS, weights="learned", calibration="sigmoid", cv=3
        ),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("weights", [None, [1, 3], [0, 2]])
def test_given_weights_vote_as_the_stock_classifier(weights):
    stock = VotingClassifier(MEMBERS, voting="soft", weights=weights).fit(X, y)
    ours = WeightedVotingClassifier(MEMBERS, weights=weights).fit(X, y)
    assert np.allclose(ours.predict_proba(X), stock.predict_proba(X))
    assert np.array_equal(ours.predict(X), stock.predict(X))
    assert np.allclose(ours.transform(X), stock.transform(X))
    assert ours.weights_.sum() == pytest.approx(1)
    assert not hasattr(ours, "oof_proba_")


@pytest.mark.parametrize("weights", [None, "learned"])
@pytest.mark.parametrize("target", [y, pd.Series(y, index=range(7, 97)), y == "I"])
def test_members_see_the_labels_of_the_user(weights, target):
    members = [("a", RecordingClassifier("a")), ("b", RecordingClassifier("b"))]
    vote = WeightedVotingClassifier(members, weights=weights, cv=3).fit(X, target)
    for fit in FITS:
        assert set(fit["y"]) == set(target)
    assert set(vote.predict(X)) == set(target)
    assert vote.score(X, target) > 0.7


def test_members_of_different_shapes_vote_together():
    """What one network alone cannot do: another input shape for each member."""
    clips = np.random.default_rng(1).normal(size=(90, 6, 5))
    clips[:, 0, 0] += 2 * (y == "I")
    coarse = FunctionTransformer(lambda clips: clips[:, ::2].reshape(len(clips), -1))
    fine = FunctionTransformer(lambda clips: clips.reshape(len(clips), -1))
    members = [
        ("coarse", make_pipeline(coarse, LogisticRegression())),
        ("fine", make_pipeline(fine, StandardScaler(), GaussianNB())),
        ("svc", make_pipeline(fine, CalibratedClassifierCV(SVC(), ensemble=False))),
        ("deep", RecordingClassifier()),
    ]
    vote = WeightedVotingClassifier(members, weights="learned", cv=3).fit(clips, y)
    assert vote.oof_proba_.shape == (90, 2)
    assert FITS[-1]["X"].shape == (60, 6, 5)
    assert vote.score(clips, y) > 0.7


def test_paths_pass_through_as_they_are():
    paths = [f"{value:.6f}.wav" for value in X[:, 0] - X[:, 1]]

    def read(paths):
        return np.array([[float(path.removesuffix(".wav"))] for path in paths])

    member = make_pipeline(FunctionTransformer(read), GaussianNB())
    vote = WeightedVotingClassifier([("a", member)], weights="learned", cv=3)
    assert vote.fit(paths, y).score(paths, y) > 0.8


def test_a_member_that_guesses_gets_no_weight():
    noise = make_pipeline(FunctionTransformer(np.sin), RecordingClassifier())
    noise_X = np.column_stack([X, np.random.default_rng(1).normal(size=(90, 1))])
    first = FunctionTransformer(lambda X: X[:, :4])
    last = FunctionTransformer(lambda X: X[:, 4:])
    vote = WeightedVotingClassifier(
        [
            ("good", make_pipeline(first, LogisticRegression())),
            ("noise", make_pipeline(last, noise)),
            ("prior", DummyClassifier()),
        ],
        weights="learned",
    ).fit(noise_X, y)
    assert vote.weights_[1:].sum() < 0.02
    assert vote.weights_.sum() == pytest.approx(1)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), n_members=st.integers(1, 4))
def test_learned_weights_beat_each_member_and_equal_weights(seed, n_members):
    random = np.random.default_rng(seed)
    scores = random.uniform(size=(30, n_members))
    target = random.permutation(np.arange(30) % 2)
    vote = WeightedVotingClassifier(
        [(f"m{column}", ScoreReader(column)) for column in range(n_members)],
        weights="learned",
        cv=2,
    ).fit(scores, target)
    assert (vote.weights_ >= 0).all()
    assert vote.weights_.sum() == pytest.approx(1)
    loss = log_loss(target, vote.predict_proba(scores))
    for rival in [*np.eye(n_members), np.full(n_members, 1 / n_members)]:
        assert loss <= log_loss(target, scores @ rival) + 1e-6


def test_weights_can_maximise_a_metric_of_the_named_class():
    scores = np.column_stack(
        [np.random.default_rng(1).uniform(size=90), np.clip(X[:, :2], -3, 3) / 6 + 0.5]
    )
    members = [(f"m{column}", ScoreReader(column)) for column in range(3)]
    plain = WeightedVotingClassifier(members).fit(scores, y)
    equal = f1_score(y, plain.predict(scores), pos_label="E")
    scorer = make_scorer(f1_score, pos_label="E")
    for metric, pos_label in [("f1", "E"), (scorer, None)]:
        vote = WeightedVotingClassifier(
            members, weights="learned", weight_metric=metric, pos_label=pos_label, cv=2
        ).fit(scores, y)
        assert f1_score(y, vote.predict(scores), pos_label="E") > equal
    again = clone(vote).fit(scores, y)
    assert np.array_equal(again.weights_, vote.weights_)
    with pytest.raises(ValueError, match="needs a positive class"):
        vote.set_params(weight_metric="f1").fit(scores, y)
    with pytest.raises(ValueError, match="'X' is not a class of y"):
        vote.set_params(pos_label="X").fit(scores, y)


@pytest.mark.parametrize("metric", ["neg_log_loss", "roc_auc"])
def test_learned_weights_beat_single_members_and_equal_weights(metric):
    random = np.random.default_rng(3)
    truth = (y == "I").astype(float)
    scores = np.column_stack(
        [np.clip(truth * 0.2 + 0.8 * random.uniform(size=90), 0.01, 0.99), *[
            np.clip(truth * 0.3 + 0.7 * random.uniform(size=90), 0.01, 0.99)
            for _ in range(2)
        ], random.uniform(0.01, 0.99, size=90)]
    )  # fmt: skip
    members = [(f"m{column}", ScoreReader(column)) for column in range(4)]
    vote = WeightedVotingClassifier(
        members, weights="learned", weight_metric=metric, cv=2
    ).fit(scores, y)
    scorer = get_scorer(metric)
    learned = scorer(vote, scores, y)
    assert vote.weights_.sum() == pytest.approx(1)
    assert (vote.weights_ >= 0).all()
    for weights in [np.full(4, 0.25), *np.eye(4)]:
        other = WeightedVotingClassifier(members, weights=weights).fit(scores, y)
        assert learned >= scorer(other, scores, y) - 1e-9
    again = clone(vote).fit(scores, y)
    assert np.array_equal(again.weights_, vote.weights_)


def test_more_than_two_classes():
    target = np.digitize(X[:, 0], [-0.5, 0.5])
    vote = WeightedVotingClassifier(MEMBERS, weights="learned").fit(X, target)
    assert vote.oof_proba_.shape == (90, 3)
    assert vote.oof_proba_.sum(axis=1) == pytest.approx(1)


# Out of fold


def test_learning_costs_k_plus_one_fits_of_each_member():
    members = [("a", RecordingClassifier("a")), ("b", RecordingClassifier("b"))]
    WeightedVotingClassifier(members, weights="learned", cv=4).fit(X, y)
    assert [fit["name"] for fit in FITS].count("a") == 5
    assert len(FITS) == 10


def test_a_fold_is_mixed_by_weights_that_its_rows_did_not_shape():
    scores = np.random.default_rng(1).uniform(size=(90, 2))
    scores[:, 0] = np.clip(
        0.5 + 0.3 * (y == "I") + 0.3 * np.random.default_rng(1).normal(size=90),
        0.01,
        0.99,
    )
    members = [("good", ScoreReader(0)), ("noise", ScoreReader(1))]
    folds = PredefinedSplit(np.arange(90) % 3)
    vote = WeightedVotingClassifier(members, weights="learned", cv=folds)
    before = clone(vote).fit(scores, y)
    poisoned, labels = scores.copy(), y.copy()
    poisoned[::3] = poisoned[::3][:, ::-1]
    labels[::3] = np.where(y[::3] == "I", "E", "I")
    after = clone(vote).fit(poisoned, labels)
    assert np.array_equal(before.fold_weights_[0], after.fold_weights_[0])
    assert not np.allclose(before.fold_weights_[1], after.fold_weights_[1])
    assert not np.allclose(before.weights_, after.weights_)
    expected = poisoned[::3] @ after.fold_weights_[0]
    assert after.oof_proba_[::3, 1] == pytest.approx(expected)


def test_a_row_never_influences_its_own_fold():
    cv = PredefinedSplit(np.arange(90) % 3)
    vote = WeightedVotingClassifier(MEMBERS, weights="learned", cv=cv)
    before = clone(vote).fit(X, y)
    poisoned, labels = X.copy(), y.copy()
    poisoned[0], labels[0] = 50, "E" if y[0] == "I" else "I"
    after = clone(vote).fit(poisoned, labels)
    same_fold = np.arange(3, 90, 3)
    assert np.array_equal(
        before.oof_member_proba_[:, same_fold], after.oof_member_proba_[:, same_fold]
    )


def test_rows_tested_often_are_averaged_and_rows_never_tested_are_nan():
    vote = WeightedVotingClassifier(MEMBERS, weights="learned")
    repeated = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    vote.set_params(cv=repeated).fit(X, y)
    assert vote.fold_weights_.shape == (6, 2)
    assert vote.oof_proba_.sum(axis=1) == pytest.approx(1)
    vote.set_params(cv=ShuffleSplit(2, test_size=0.2, random_state=0)).fit(X, y)
    assert 18 <= (~np.isnan(vote.oof_proba_[:, 0])).sum() <= 36
    with pytest.raises(ValueError, match="at least two splits"):
        vote.set_params(cv=ShuffleSplit(1)).fit(X, y)


def test_fitting_again_with_given_weights_forgets_the_learned_ones():
    vote = WeightedVotingClassifier(MEMBERS, weights="learned").fit(X, y)
    vote.set_params(weights=None).fit(X, y)
    assert np.array_equal(vote.weights_, [0.5, 0.5])
    assert not hasattr(vote, "oof_proba_")


# Groups and metadata


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("weights", [None, "learned"])
def test_groups_reach_folds_and_nested_members(routing, weights):
    nested = make_pipeline(StandardScaler(), RecordingClassifier("nested"))
    members = [("nested", nested), ("plain", RecordingClassifier()), *MEMBERS]
    vote = WeightedVotingClassifier(members, weights=weights, cv=5)
    with config_context(enable_metadata_routing=routing):
        vote.fit(X, y, groups=groups)
    assert len(FITS) == (2 if weights is None else 12)
    for fit in FITS:
        assert len(fit["groups"]) == len(fit["y"])
    if weights == "learned":  # 15 groups in 5 folds: each fit lacks whole groups
        assert {len(set(fit["groups"])) for fit in FITS} == {12, 15}
        assert {len(fit["y"]) for fit in FITS} == {72, 90}


@pytest.mark.parametrize("routing", [False, True])
def test_cross_validation_by_groups(routing):
    vote = WeightedVotingClassifier([("a", RecordingClassifier())])
    splitting = {} if routing else {"groups": groups}
    with config_context(enable_metadata_routing=routing):
        cross_val_score(
            vote,
            X,
            y,
            cv=GroupKFold(3),
            params={"groups": groups},
            error_score="raise",
            **splitting,
        )
    assert [len(fit["groups"]) for fit in FITS] == [60, 60, 60]


def test_without_groups_members_get_none():
    WeightedVotingClassifier([("a", RecordingClassifier())]).fit(X, y)
    assert FITS[0]["groups"] is None


def test_members_that_cannot_route_keep_groups_from_nobody_in_silence():
    boosting = AdaBoostClassifier(n_estimators=2)
    vote = WeightedVotingClassifier([("boosting", boosting), *MEMBERS])
    vote.fit(X, y, groups=groups)
    stock = VotingClassifier(
        [("boosting", boosting), ("net", RecordingClassifier())], voting="soft"
    )
    outer = WeightedVotingClassifier([("stock", stock)]).fit(X, y)
    with pytest.raises(NotImplementedError, match="AdaBoostClassifier"):
        outer.fit(X, y, groups=groups)


def test_sample_weight_goes_to_members_that_request_it():
    weight = np.where(y == "I", 100.0, 1.0)
    with config_context(enable_metadata_routing=True):
        asks = LogisticRegression().set_fit_request(sample_weight=True)
        ignores = LogisticRegression().set_fit_request(sample_weight=False)
    vote = WeightedVotingClassifier([("asks", asks), ("ignores", ignores)])
    vote.fit(X, y, sample_weight=weight)
    asked, ignored = vote.estimators_
    assert asked.predict_proba(X)[:, 1].mean() > ignored.predict_proba(X)[:, 1].mean()


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_finished_fits_are_logged_once(caplog, n_jobs):
    caplog.set_level("INFO", logger="skbreath")
    vote = WeightedVotingClassifier(MEMBERS, weights="learned", cv=3, n_jobs=n_jobs)
    vote.fit(X, y)
    assert sum(record.finished_fits for record in caplog.records) == 2 * 4
    caplog.clear()
    outer = WeightedVotingClassifier([("inner", vote)], weights="learned", cv=2)
    outer.fit(X, y)
    assert sum(record.finished_fits for record in caplog.records) == 3


# Weights by name


def test_single_weights_are_parameters():
    vote = WeightedVotingClassifier(MEMBERS)
    assert vote.get_params()["weights__bayes"] == 1
    vote.set_params(weights__bayes=3)
    assert vote.weights == {"bayes": 3, "linear": 1}
    given = {"bayes": 1, "linear": 2}
    vote.set_params(weights=given, weights__linear=7)
    assert given == {"bayes": 1, "linear": 2}
    assert clone(vote).get_params()["weights__linear"] == 7
    assert np.allclose(clone(vote).fit(X, y).weights_, [1 / 8, 7 / 8])
    same = clone(vote).set_params(**vote.get_params())
    assert same.weights == vote.weights
    vote.set_params(weights=[4, 5], weights__bayes=6, bayes__var_smoothing=0.1)
    assert vote.weights == {"bayes": 6, "linear": 5}
    assert vote.estimators[0][1].var_smoothing == 0.1


@pytest.mark.parametrize("weights", ["learned", [1, 2, 3], {"bayes": 1}])
def test_single_weights_of_something_else_cannot_be_set(weights):
    vote = WeightedVotingClassifier(MEMBERS, weights=weights)
    assert "weights__bayes" not in vote.get_params()
    with pytest.raises(ValueError, match="cannot set the weights of"):
        vote.set_params(weights__bayes=1)


def test_unknown_names_cannot_be_set():
    with pytest.raises(ValueError, match=r"cannot set the weights of \['svc'\]"):
        WeightedVotingClassifier(MEMBERS).set_params(weights__svc=1)


def test_a_weight_is_tuned_by_name():
    scores = np.column_stack(
        [(y == "I") * 0.6 + 0.2, np.random.default_rng(1).uniform(size=90)]
    )
    vote = WeightedVotingClassifier(
        [("good", ScoreReader(0)), ("noise", ScoreReader(1))]
    )
    grid = {"weights__noise": [0, 1, 50]}
    search = GridSearchCV(vote, grid, scoring="neg_log_loss", cv=3).fit(scores, y)
    assert search.best_params_ == {"weights__noise": 0}
    assert np.array_equal(search.best_estimator_.weights_, [1, 0])


@pytest.mark.parametrize(
    "weights, message",
    [
        ([1, -1], "not negative"),
        ([0, 0], "at least one weight must be above zero"),
        ([1, np.nan], "finite"),
        ([1, np.inf], "finite"),
        ([1], "one weight for each of the 2 estimators"),
        ([[1], [2]], "one weight for each of the 2 estimators"),
        (["a", "b"], "must be numbers"),
        ({"bayes": 1}, r"missing names \['linear'\]"),
        ({"bayes": 1, "linear": 1, "svc": 1}, r"unknown names \['svc'\]"),
        ({"bayes": 1, "linear": None}, "finite|numbers"),
        ("equal", "must be a str among {'learned'}"),
    ],
)
def test_wrong_weights_are_errors_before_any_fit(weights, message):
    members = [("bayes", RecordingClassifier()), ("linear", RecordingClassifier())]
    with pytest.raises(ValueError, match=message):
        WeightedVotingClassifier(members, weights=weights).fit(X, y)
    assert not FITS


def test_a_member_without_probabilities_is_an_error_before_any_fit():
    members = [("bayes", RecordingClassifier()), ("linear", LinearSVC())]
    with pytest.raises(ValueError, match=r"'linear' \(LinearSVC\) has none"):
        WeightedVotingClassifier(members).fit(X, y)
    assert not FITS


def test_an_empty_part_of_the_folds_is_an_error_before_any_fit():
    members = [("bayes", RecordingClassifier())]
    folds = [(np.arange(60), np.arange(60, 90)), (np.arange(90), [])]
    vote = WeightedVotingClassifier(members, weights="learned", cv=folds)
    with pytest.raises(ValueError, match="the test part of fold 1 is empty"):
        vote.fit(X, y)
    assert not FITS


@pytest.mark.parametrize("weights", [[1, 1, 5], {"bayes": 1, "linear": 5}, "learned"])
def test_dropped_members_neither_vote_nor_need_a_weight(weights):
    members = [MEMBERS[0], ("gone", "drop"), MEMBERS[1]]
    vote = WeightedVotingClassifier(members, weights=weights).fit(X, y)
    assert len(vote.weights_) == len(vote.estimators_) == 2
    assert vote.named_estimators_["gone"] == "drop"
    if weights != "learned":
        assert np.allclose(vote.weights_, [1 / 6, 5 / 6])
    with pytest.raises(ValueError, match="above zero"):
        vote.set_params(weights=[0, 1, 0]).fit(X, y)


# Frozen members and bad input


@pytest.mark.parametrize(
    "freeze",
    [
        lambda fitted: FrozenEstimator(fitted),
        lambda fitted: make_pipeline(FunctionTransformer(), FrozenEstimator(fitted)),
    ],
)
def test_frozen_members_vote_with_given_weights_only(freeze):
    fitted = GaussianNB().fit(X[:60], y[:60])
    members = [("old", freeze(fitted)), ("new", RecordingClassifier())]
    vote = WeightedVotingClassifier(members, weights=[1, 0]).fit(X, y)
    assert np.allclose(vote.predict_proba(X), fitted.predict_proba(X))
    FITS.clear()
    with pytest.raises(ValueError, match=r"frozen members \['old'\]"):
        vote.set_params(weights="learned").fit(X, y)
    assert not FITS


def test_a_frozen_transformer_does_not_freeze_a_member():
    scaler = FrozenEstimator(StandardScaler().fit(X))
    members = [("a", make_pipeline(scaler, GaussianNB())), *MEMBERS]
    WeightedVotingClassifier(members, weights="learned").fit(X, y)


def test_a_frozen_member_of_other_classes_is_an_error():
    frozen = FrozenEstimator(GaussianNB().fit(X, np.where(y == "I", 1, 0)))
    with pytest.raises(ValueError, match=r"classes of member 'old', \[0, 1\]"):
        WeightedVotingClassifier([("old", frozen)]).fit(X, y)


def test_one_class_or_uneven_lengths_are_errors():
    vote = WeightedVotingClassifier(MEMBERS)
    with pytest.raises(ValueError, match=r"only one class, \['I'\]"):
        vote.fit(X, np.full(90, "I"))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        vote.fit(X, y[:-1])
    with pytest.raises(ValueError, match="X has 90, groups has 89"):
        vote.fit(X, y, groups=groups[:-1])


@pytest.mark.parametrize(
    "learned", [{"weights": "learned"}, {"calibration": "sigmoid"}]
)
def test_without_refit_the_models_of_the_folds_vote(learned):
    X, y = make_classification(300, random_state=0)
    members = [("bayes", GaussianNB()), ("linear", LogisticRegression())]
    folds = KFold(3)
    refitted = WeightedVotingClassifier(members, cv=folds, **learned).fit(X, y)
    vote = clone(refitted).set_params(refit=False).fit(X, y)
    np.testing.assert_array_equal(vote.oof_proba_, refitted.oof_proba_)
    np.testing.assert_array_equal(vote.weights_, refitted.weights_)
    expected = [
        np.mean(
            [clone(member).fit(X[a], y[a]).predict_proba(X) for a, _ in folds.split(X)],
            axis=0,
        )
        for _, member in members
    ]
    np.testing.assert_allclose(
        vote.transform(X), np.concatenate(expected, axis=1), rtol=1e-12
    )
    assert vote.n_features_in_ == 20
    again = pickle.loads(pickle.dumps(vote))
    np.testing.assert_array_equal(again.predict_proba(X), vote.predict_proba(X))


def test_without_refit_something_must_be_learned():
    X, y = make_classification(60, random_state=0)
    vote = WeightedVotingClassifier([("bayes", GaussianNB())], refit=False)
    with pytest.raises(ValueError, match="refit=False keeps the models"):
        vote.fit(X, y)
