import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from skbreath import (
    BreathFeatures,
    ChannelScaler,
    FineTunedClassifier,
    ResidualCNNClassifier,
    SummaryPooling,
    check_leakage,
    evaluate,
    fine_tune,
    load_model,
    make_breath_classifier,
    make_breath_sounds,
    model_info,
    save_model,
)


def members():
    mel = BreathFeatures(groups=("mel",), n_mels=16, fmax=4000)
    net = ResidualCNNClassifier(
        hidden_channels=4,
        max_epochs=6,
        early_stopping=False,
        lr=0.01,
        batch_size=16,
        random_state=0,
    )
    boosting = HistGradientBoostingClassifier(
        max_iter=5, early_stopping=False, random_state=0
    )
    return [
        ("net", Pipeline([("mel", mel), ("scaler", ChannelScaler()), ("net", net)])),
        (
            "trees",
            Pipeline([("mel", mel), ("pool", SummaryPooling()), ("trees", boosting)]),
        ),
    ]


@pytest.fixture(scope="module")
def sounds():
    return make_breath_sounds(96, n_subjects=16, difficulty=0.2, random_state=0)


@pytest.fixture(scope="module")
def model(sounds):
    pipeline = make_breath_classifier(members(), cv=2, random_state=0)
    pipeline["classifier"].estimator.set_params(refit=False, calibration="sigmoid")
    return pipeline.fit(
        sounds.waveforms, sounds.target, classifier__groups=sounds.groups
    )


@pytest.fixture(scope="module")
def other_microphone(sounds):
    """New subjects through a low-pass, 30 dB quieter."""
    new = make_breath_sounds(60, n_subjects=10, difficulty=0.2, random_state=1)
    kernel = np.hanning(14) / np.hanning(14).sum()
    filtered = [np.convolve(wave, kernel, "same") for wave in new.waveforms]
    return np.stack(filtered).astype(np.float32) / 30, new.target, new.groups


def test_networks_go_on_and_the_model_given_stays_as_it_was(model, other_microphone):
    X, y, groups = other_microphone
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = model.predict_proba(X)
        tuned = fine_tune(
            model, X[:30], y[:30], groups[:30], n_updates=2, random_state=0
        )
        assert np.array_equal(model.predict_proba(X), before)
    assert isinstance(tuned, Pipeline) and list(tuned.named_steps) == [
        "audio",
        "classifier",
    ]
    assert set(tuned.predict(X)) <= {"E", "I"}
    nets = tuned["classifier"].estimator_.named_estimators_["net"].estimators_
    olds = model["classifier"].estimator_.named_estimators_["net"].estimators
    assert len(nets) == len(olds) == 2
    for new, old, other in zip(nets, olds, olds[::-1], strict=True):
        mine, start, others = (part["net"].get_weights() for part in (new, old, other))
        name = "stem.0.weight"
        moved = np.abs(mine[name] - start[name]).max()
        # Two small steps from its own weights, not from another's or random ones.
        assert 0 < moved < 0.01 < np.abs(mine[name] - others[name]).max()
        # Level and colour of the microphone are learned anew.
        assert not np.allclose(new["scaler"].mean_, old["scaler"].mean_, atol=5)


def test_a_few_clips_are_better_than_none(model, other_microphone):
    X, y, groups = other_microphone
    labelled = np.isin(groups, np.unique(groups)[:5])
    tuned = fine_tune(
        model,
        X[labelled],
        y[labelled],
        groups[labelled],
        n_updates=60,
        lr=0.01,
        random_state=0,
    )
    X, y = X[~labelled], y[~labelled]
    auc = roc_auc_score(y == "I", tuned.predict_proba(X)[:, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        untrained = roc_auc_score(y == "I", model.predict_proba(X)[:, 1])
    assert auc > max(0.8, untrained)


def test_one_recording_is_enough_to_begin_with(model, other_microphone):
    X, y, _ = other_microphone
    rows = np.r_[np.flatnonzero(y == "I")[:2], np.flatnonzero(y == "E")[:2]]
    tuned = fine_tune(model, X[rows], y[rows], np.zeros(4), n_updates=2, random_state=0)
    threshold = tuned["classifier"]
    assert threshold.best_threshold_ == 0.5
    assert threshold.estimator_.weights_.tolist() == [1, 0]
    assert not hasattr(threshold.estimator_, "calibrator_")
    assert tuned.predict_proba(X).shape == (60, 2)


def test_repeats_to_the_bit_and_is_saved_at_its_size(model, other_microphone, tmp_path):
    X, y, groups = other_microphone
    settings = {"n_updates": 2, "random_state": 3}
    first, second = (fine_tune(model, X, y, groups, **settings) for _ in range(2))
    assert np.array_equal(first.predict_proba(X), second.predict_proba(X))
    save_model(model, tmp_path / "model.skb")
    save_model(first, tmp_path / "tuned.skb")
    sizes = [(tmp_path / f"{n}.skb").stat().st_size for n in ("model", "tuned")]
    assert sizes[1] < 1.5 * sizes[0]
    loaded = load_model(tmp_path / "tuned.skb")
    assert np.array_equal(loaded.predict_proba(X), first.predict_proba(X))
    again = fine_tune(loaded, X, y, groups, **settings)
    nets = [tuned["classifier"].estimator_.estimators_[0] for tuned in (first, again)]
    assert not np.array_equal(*(net.predict_proba(X) for net in nets))


def test_clips_of_both_trainings_are_known(model, sounds, other_microphone):
    X, y, groups = other_microphone
    tuned = fine_tune(model, X, y, groups, n_updates=1, random_state=0)
    for data in ((X, y, groups), (sounds.waveforms, sounds.target, sounds.groups)):
        table = check_leakage(tuned, *data, cv=2)
        found = table.loc["known clips", "detail"]
        assert found.startswith(f"trained on {len(data[0])} of these clips")


def test_another_fit_trains_from_scratch_on_all_rows(model, other_microphone):
    X, y, groups = other_microphone
    model = clone(model).set_params(classifier__estimator__refit=True)
    model.fit(X, y, classifier__groups=groups)
    few = fine_tune(model, X[:12], y[:12], groups[:12], n_updates=1, random_state=0)
    again = clone(few).fit(X, y, classifier__groups=groups)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again["classifier"].best_threshold_ == model["classifier"].best_threshold_
    fewer = clone(few).fit(X[:10], y[:10], classifier__groups=groups[:10])
    assert fewer.predict_proba(X).shape == (len(X), 2)


def test_fine_tuning_twice_learns_all_that_once_learns(model, other_microphone):
    X, y, groups = other_microphone
    settings = {"n_updates": 1, "random_state": 0}
    few = fine_tune(model, X[:12], y[:12], groups[:12], **settings)
    twice = fine_tune(few, X, y, groups, **settings)["classifier"]
    assert [name for name, _ in twice.estimator_.estimators] == ["net", "trees"]
    assert hasattr(twice.estimator_, "calibrator_") and twice.thresholds == "all"
    assert len(twice.estimator_.oof_proba_) == len(X)


def test_the_licence_goes_with_the_weights(model, other_microphone, tmp_path):
    X, y, groups = other_microphone
    told = {"licence": "CC BY-NC 4.0", "name": "chest"}
    save_model(model, tmp_path / "first.skb", metadata=told)
    loaded = load_model(tmp_path / "first.skb")
    save_model(loaded, tmp_path / "again.skb", metadata={"name": "renamed"})
    again = model_info(tmp_path / "again.skb")
    assert again["metadata"] == told | {"name": "renamed"}
    assert "metadata" not in again["training_data"]
    for number in range(2):
        loaded = fine_tune(loaded, X, y, groups, n_updates=1, random_state=0)
        save_model(loaded, tmp_path / f"{number}.skb")
        assert model_info(tmp_path / f"{number}.skb")["metadata"] == {
            "licence": "CC BY-NC 4.0",
            "fine_tuned_from": told,
        }
        loaded = load_model(tmp_path / f"{number}.skb")
    fresh = clone(loaded).fit(X, y, classifier__groups=groups)
    save_model(fresh, tmp_path / "fresh.skb")
    assert model_info(tmp_path / "fresh.skb")["metadata"] is None


def test_cross_validates_as_any_classifier(model, other_microphone):
    X, y, groups = other_microphone
    tuner = FineTunedClassifier(model, n_updates=1, random_state=0)
    assert clone(tuner).model is model
    tuner.fit(X[:12], y[:12])
    again = fine_tune(tuner, X[:12], y[:12], n_updates=1, random_state=0)
    assert type(again) is Pipeline
    tuner = clone(tuner)
    with pytest.raises(NotFittedError):
        tuner.predict(X)
    result = evaluate(tuner, X, y, groups, cv=2, n_resamples=5)
    assert len(result.predictions) == 60 and not hasattr(tuner, "model_")


def test_a_network_alone_can_be_fine_tuned():
    rng = np.random.default_rng(0)
    y = np.repeat(["E", "I"], 20)
    X = rng.normal(size=(40, 8, 16)) + (y == "I")[:, None, None]
    net = ResidualCNNClassifier(hidden_channels=4, max_epochs=2, random_state=0)
    tuned = fine_tune(net.fit(X, y), X[::4], y[::4], n_updates=3, frozen=["stem"])
    assert type(tuned) is ResidualCNNClassifier
    assert len(tuned.history_) == 3 and tuned.max_epochs == 2
    name = "stem.0.weight"
    assert np.array_equal(tuned.get_weights()[name], net.get_weights()[name])


def test_what_cannot_be_fine_tuned_is_refused(model, other_microphone):
    X, y, _ = other_microphone
    with pytest.raises(ValueError, match="has no network"):
        fine_tune(LogisticRegression().fit(X, y), X, y)
    with pytest.raises(ValueError, match="Expected y to have the classes"):
        fine_tune(model, X, np.where(y == "I", "in", "out"))
    with pytest.raises(ValueError, match="Expected y to have the classes"):
        fine_tune(model, X[y == "I"], y[y == "I"])
    with pytest.raises(NotFittedError):
        fine_tune(clone(model), X, y)
    with pytest.raises(ValueError, match="y has 1 missing value, the first at row 1"):
        fine_tune(model, X[:3], ["I", None, "E"])
    with pytest.raises(ValueError, match="n_updates"):
        fine_tune(model, X, y, n_updates=0)
