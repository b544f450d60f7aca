import numpy as np
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from skbreath import (
    make_breath_classifier,
    make_breath_sounds,
    top_estimators,
    tune_breath_classifier,
)

# Of the network's input and of its layers, and how it is trained: in one search.
STRUCTURE = {
    "features__n_mels": CategoricalDistribution([16, 32]),
    "net__kernel_size": CategoricalDistribution([3, 5]),
    "net__hidden_channels": CategoricalDistribution([8, 16]),
    "net__lr": FloatDistribution(1e-3, 1e-2, log=True),
    "net__dropout": FloatDistribution(0.3, 0.7),
}
WIDE = {"features__n_mels": 32, "net__kernel_size": 3, "net__hidden_channels": 8}
NARROW = {"features__n_mels": 16, "net__kernel_size": 5, "net__hidden_channels": 16}


@pytest.fixture(scope="module")
def sounds():
    return make_breath_sounds(80, n_subjects=12, difficulty=0.2, random_state=0)


@pytest.fixture(scope="module")
def tuned(sounds):
    return tune_breath_classifier(
        sounds.waveforms,
        sounds.target,
        sounds.subject,
        preset="reference",
        param_distributions=STRUCTURE,
        enqueue=[WIDE, NARROW],
        n_trials=3,
        n_members=2,
        trial_epochs=2,
        max_epochs=2,
        cv=2,
        vote_cv=2,
        random_state=0,
    )


def test_structure_is_tuned_together_with_training(tuned):
    table = tuned.search.cv_results_
    assert (table["trial_state"] == "COMPLETE").all()
    tried = [dict(params) for params in table["params"]]
    assert [set(params) for params in tried] == [set(STRUCTURE)] * 3
    for enqueued, params in zip([WIDE, NARROW], tried, strict=False):
        assert {name: params[name] for name in enqueued} == enqueued


def test_members_of_different_shapes_vote_together(tuned, sounds):
    members = top_estimators(tuned.search, 2, distinct=["features__n_mels"])
    vote = tuned.model["classifier"].estimator
    model = tuned.model.set_params(
        classifier__estimator=vote.set_params(estimators=members)
    )
    model.fit(sounds.waveforms, sounds.target, classifier__groups=sounds.subject)
    nets = [pipe["net"] for pipe in model["classifier"].estimator_.estimators_]
    # 16 or 32 mel bands beside the 48 other channels.
    assert sorted(net.n_features_in_ for net in nets) == [64, 80]
    proba = model.predict_proba(sounds.waveforms)
    assert proba.sum(axis=1) == pytest.approx(1)
    assert set(model.predict(sounds.waveforms)) <= {"E", "I"}


def test_a_tuning_that_is_repeated_with_a_storage_fits_nothing_again(sounds, tmp_path):
    settings = {
        "n_trials": 2,
        "n_members": 2,
        "trial_epochs": 1,
        "cv": 2,
        "storage": tmp_path / "trials.db",
        "random_state": 0,
    }
    data = sounds.waveforms[:40], sounds.target[:40]
    first, again = (tune_breath_classifier(*data, **settings) for _ in range(2))
    assert len(again.search.study_.trials) == 2
    for key in ("mean_test_score", "mean_fit_time"):
        assert np.array_equal(
            first.search.cv_results_[key], again.search.cv_results_[key]
        )
    with pytest.raises(ValueError, match="of another search"):
        tune_breath_classifier(
            data[0], data[1][::-1], **settings,
            study_name=first.search.study_.study_name,
        )  # fmt: skip


def members_of(model):
    return dict(model["classifier"].estimator.estimators)


@pytest.mark.parametrize("part", ["frames", "spectrogram", "boosting"])
def test_tuning_adds_trials_around_the_preset_to_its_vote(part, sounds):
    result = tune_breath_classifier(
        sounds.waveforms[:40], sounds.target[:40], part=part, n_trials=2, n_members=1,
        trial_epochs=1, cv=2, random_state=0,
    )  # fmt: skip
    untuned = make_breath_classifier(random_state=0)
    (trial, tuned), *members = members_of(result.model).items()
    assert trial in ("trial_0", "trial_1")
    assert str(members) == str([*members_of(untuned).items()])
    for name in ("scoring", "estimator__calibration", "estimator__weights"):
        params = result.model["classifier"].get_params()
        assert params[name] == untuned["classifier"].get_params()[name]
    first, second = result.search.cv_results_["params"]
    own = members_of(untuned)[part].get_params()
    assert all(first[name] == own[name] for name in first)
    assert all(first[name] != second[name] for name in first if "learning" in name)
    # Otherwise the vote could have one member twice.
    assert tuned[-1].random_state != members_of(untuned)[part][-1].random_state
    if part != "boosting":
        assert tuned["net"].max_epochs == own["net__max_epochs"]


def test_epochs_that_are_searched_are_kept(sounds):
    result = tune_breath_classifier(
        sounds.waveforms[:40], sounds.target[:40], preset="fast", n_trials=2,
        n_members=1, param_distributions={"net__max_epochs": IntDistribution(1, 2)},
        cv=2, random_state=0,
    )  # fmt: skip
    (_, tuned), (name, _) = members_of(result.model).items()
    assert tuned["net"].max_epochs in (1, 2) and name == "frames"


def test_the_reference_is_tuned_as_the_original_entry_was(tuned):
    threshold = tuned.model["classifier"]
    assert threshold.scoring == "f1" and threshold.estimator.weights == "learned"
    assert all(name.startswith("trial_") for name in members_of(tuned.model))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"device": "gpu"}, "device='gpu' is not available here"),
        (
            {"preset": "fast", "part": "boosting"},
            r"one of \['frames'\], got 'boosting'",
        ),
        (
            {"n_members": 3, "n_trials": 2},
            "n_members must be at most n_trials=2, got 3",
        ),
    ],
)
def test_wrong_settings_are_errors_before_files_are_read(settings, message):
    with pytest.raises(ValueError, match=message):
        tune_breath_classifier(["missing.wav"] * 4, list("IEIE"), **settings)


@pytest.mark.parametrize(
    "labels, message",
    [
        (["I", "E", "pause"], "Expected labels of 2 classes, got 3"),
        (["I", "E", None], "y has 1 missing value, the first at row 2"),
    ],
)
def test_wrong_labels_are_errors_before_files_are_read(labels, message):
    with pytest.raises(ValueError, match=message):
        tune_breath_classifier(["missing.wav"] * 3, labels)
