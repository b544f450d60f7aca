import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skbreath import (
    BreathFeatures,
    ChannelScaler,
    FineTunedClassifier,
    ResidualCNNClassifier,
    SummaryPooling,
    ThresholdClassifier,
    evaluate,
    fine_tune,
    load_kaggle_breath,
    load_model,
    make_breath_classifier,
    make_net_member,
    predict_files,
    save_model,
)


@pytest.fixture(scope="module")
def clips(breath_folder):
    return load_kaggle_breath(breath_folder)


def small_classifier(**params):
    defaults = {"max_epochs": 3, "cv": 2, "random_state": 0}
    model = make_breath_classifier(**(defaults | params))
    vote = model["classifier"].estimator
    for name, member in vote.estimators:
        if name == "boosting":
            member.set_params(boosting__max_iter=20)
        else:
            member.set_params(net__hidden_channels=8, net__lr=0.01, net__batch_size=8)
    return model


@pytest.fixture(scope="module")
def fitted(clips):
    return small_classifier().fit(
        clips.paths, clips.target, classifier__groups=clips.recording
    )


def test_labels_from_paths(fitted, clips):
    labels = fitted.predict(clips.paths)
    assert set(labels) <= {"I", "E"}
    assert fitted.classes_.tolist() == ["E", "I"]
    assert (labels == clips.target).mean() > 0.7


@pytest.mark.parametrize("form", [list, pd.Series, lambda p: pd.DataFrame({"path": p})])
def test_every_form_of_paths_gives_the_same(fitted, clips, form):
    expected = fitted.predict_proba(clips.paths[:6])
    assert np.array_equal(fitted.predict_proba(form(clips.paths[:6])), expected)
    waveforms = fitted["audio"].transform(clips.paths[:6])
    assert np.array_equal(fitted.predict_proba(waveforms), expected)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_all_members_work_at_another_rate(clips, rate):
    model = small_classifier(sample_rate=rate, max_epochs=1)
    model.fit(clips.paths[:32], clips.target[:32])
    proba = model.predict_proba(clips.paths[:4])
    assert np.allclose(proba.sum(axis=1), 1)


def test_names_and_order_of_files_change_no_prediction(fitted, clips, tmp_path):
    expected = fitted.predict_proba(clips.paths)
    order = np.random.default_rng(0).permutation(len(clips.paths))
    renamed = [tmp_path / f"{number:03}.wav" for number in range(len(order))]
    for row, path in zip(order, renamed, strict=True):
        shutil.copy(clips.paths[row], path)
    # Torch may add up another batch in another order: the last bits can differ.
    np.testing.assert_allclose(
        fitted.predict_proba(renamed), expected[order], rtol=0, atol=1e-6
    )


def test_names_and_order_of_training_files_change_nothing(clips, tmp_path):
    """Compare models of boosted trees, which do not shuffle their rows."""
    member = make_pipeline(
        small_classifier()["audio"], BreathFeatures(), SummaryPooling(), SVC()
    )
    renamed = [tmp_path / f"{number}.wav" for number in range(len(clips.paths))]
    for old, new in zip(clips.paths, reversed(renamed), strict=True):
        shutil.copy(old, new)
    expected = clone(member).fit(clips.paths, clips.target)
    model = clone(member).fit(renamed[::-1], clips.target)
    assert np.array_equal(
        model.decision_function(clips.paths), expected.decision_function(clips.paths)
    )


@pytest.mark.slow
def test_saved_model_predicts_the_same_bytes_in_a_fresh_process(
    fitted, clips, tmp_path
):
    joblib.dump(fitted, tmp_path / "model.joblib")
    np.save(tmp_path / "paths.npy", np.array(clips.paths, dtype=str))
    code = (
        "import joblib, numpy as np\n"
        "model = joblib.load('model.joblib')\n"
        "np.save('proba.npy', model.predict_proba(np.load('paths.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    proba = np.load(tmp_path / "proba.npy")
    assert proba.tobytes() == fitted.predict_proba(clips.paths).tobytes()


@pytest.mark.slow
def test_same_seed_same_model_whatever_n_jobs(clips):
    probas = [
        small_classifier(n_jobs=n_jobs)
        .fit(clips.paths, clips.target, classifier__groups=clips.recording)
        .predict_proba(clips.paths)
        for n_jobs in (1, 2)
    ]
    assert np.array_equal(*probas)


@pytest.mark.parametrize("routing", [False, True])
def test_cross_validation_by_recording(clips, routing):
    model = small_classifier()
    name = "groups" if routing else "classifier__groups"
    with sklearn.config_context(enable_metadata_routing=routing):
        scores = cross_val_score(
            model,
            clips.paths,
            clips.target,
            groups=None if routing else clips.recording,
            cv=StratifiedGroupKFold(2),
            params={name: clips.recording},
            error_score="raise",
        )
    assert scores.shape == (2,) and (scores > 0.4).all()


def test_evaluate_takes_the_whole_pipeline(clips):
    result = evaluate(
        small_classifier(max_epochs=1),
        clips.paths,
        clips.target,
        clips.recording,
        cv=2,
        n_resamples=50,
    )
    assert result.predictions["y_pred"].isin(["I", "E"]).all()


def test_grid_search_reaches_every_part_by_name(clips):
    waveforms = small_classifier()["audio"].fit_transform(clips.paths)
    member = make_net_member(
        max_epochs=1, hidden_channels=8, batch_size=16, random_state=0
    )
    grid = {"features__n_mels": [16, 32], "net__kernel_size": [3, 5]}
    search = GridSearchCV(member, grid, cv=2, error_score="raise")
    search.fit(waveforms, clips.target)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_estimator_["net"].n_features_in_ in (64, 80)


def test_members_of_different_shapes_vote_together(clips):

    def net(n_mels, kernel_size):
        return make_pipeline(
            BreathFeatures(n_mels=n_mels),
            ChannelScaler(),
            ResidualCNNClassifier(
                kernel_size=kernel_size,
                hidden_channels=8,
                max_epochs=6,
                batch_size=16,
                lr=0.01,
                random_state=0,
            ),
        )

    svc = make_pipeline(
        BreathFeatures(groups=("mel",)),
        SummaryPooling(),
        ThresholdClassifier(SVC(), pos_label="I", cv=2),
    )
    calibrated = make_pipeline(
        BreathFeatures(groups=("mel",)),
        SummaryPooling(),
        sklearn.calibration.CalibratedClassifierCV(SVC(), cv=2),
    )
    members = [("few", net(24, 3)), ("many", net(64, 7)), ("svc", calibrated)]
    model = make_breath_classifier(members, cv=2)
    model.fit(clips.paths, clips.target, classifier__groups=clips.recording)
    vote = model["classifier"].estimator_
    assert len(vote.weights_) == 3
    np.testing.assert_allclose(vote.weights_.sum(), 1)
    assert model.score(clips.paths, clips.target) > 0.7
    assert svc.fit(model["audio"].transform(clips.paths), clips.target)


def test_linear_power_members_have_no_scaler():
    model = make_breath_classifier(preset="reference")
    member = dict(model["classifier"].estimator.estimators)["trial_8"]
    assert member["scaler"] == "passthrough"
    assert member["features"].log_scale is False


@pytest.mark.parametrize(
    "preset",
    ["fast", pytest.param("accurate", marks=pytest.mark.slow), "reference"],
)
def test_presets_separate_inhales_from_exhales(clips, preset):
    model = make_breath_classifier(
        preset=preset, max_epochs=15, cv=2, random_state=0, drift=None
    )
    vote = model["classifier"].estimator
    for name, member in vote.estimators:
        if name != "boosting":
            member.set_params(net__hidden_channels=8, net__lr=0.01, net__batch_size=8)
    model.fit(clips.paths, clips.target, classifier__groups=clips.recording)
    assert model.score(clips.paths, clips.target) > 0.7
    fitted = model["classifier"].estimator_
    assert hasattr(fitted, "calibrator_") == (preset != "reference")


def test_the_reference_is_the_recipe_of_the_original_entry():
    threshold = make_breath_classifier(preset="reference")["classifier"]
    vote = threshold.estimator
    assert threshold.scoring == "f1"
    assert list(vote.weights) == [0.4, 0.6]
    assert [name for name, _ in vote.estimators] == ["trial_8", "trial_54"]
    assert vote.estimators[0][1]["net"].gamma == 0.5447


def test_unknown_presets_are_refused():
    with pytest.raises(ValueError, match="preset must be one of"):
        make_breath_classifier(preset="best")
    with pytest.raises(ValueError, match="preset must be one of"):
        make_breath_classifier(preset=["fast"])
    for text in ("fast", "everything"):
        with pytest.raises(TypeError, match=r'members.*preset="fast"'):
            make_breath_classifier(text)


@pytest.mark.parametrize("device", ["cuda:63", torch.device("cuda:63")])
def test_an_unavailable_device_is_an_error_before_files_are_read(device):
    with pytest.raises(ValueError, match="device='cuda:63' is not available here"):
        make_breath_classifier(device=device)


@pytest.mark.parametrize("labels", [["exhale", "inhale"], [0, 1], [False, True]])
def test_the_positive_class_may_have_any_name(clips, labels):
    y = np.where(clips.target == "I", labels[1], labels[0])
    with pytest.raises(ValueError, match=rf"'I' is not .*pos_label={labels[1]!r}"):
        small_classifier(preset="reference").fit(clips.paths, y)
    model = small_classifier(preset="reference", max_epochs=1, pos_label=labels[1])
    assert model.fit(clips.paths, y).classes_.tolist() == labels


def test_the_vote_alone_takes_more_than_two_classes(clips):
    y = np.where(np.arange(len(clips.target)) % 3, clips.target, "pause")
    model = small_classifier(max_epochs=1)
    with pytest.raises(ValueError, match=r"got 3: .*'pause'\]; .*set_params\(class"):
        model.fit(clips.paths, y)
    model.set_params(classifier=model["classifier"].estimator)
    assert model.fit(clips.paths, y).classes_.tolist() == ["E", "I", "pause"]


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("kind", [list, lambda y: np.array(y, object), pd.Series])
def test_missing_labels_are_named_by_row(clips, missing, kind):
    y = [*clips.target[:7].tolist(), missing, *clips.target[8:].tolist()]
    with pytest.raises(ValueError, match="y has 1 missing value, the first at row 7"):
        small_classifier().fit(clips.paths, kind(y))


def test_all_bad_files_are_named_before_any_training(clips, tmp_path):
    bad = [tmp_path / "empty.wav", tmp_path / "text.wav", tmp_path / "gone.wav"]
    bad[0].touch()
    bad[1].write_text("not audio at all, but long enough to look at", encoding="utf-8")
    paths = [*clips.paths, *bad]
    y = [*clips.target, "I", "E", "I"]
    with pytest.raises(ValueError) as error:
        small_classifier(max_epochs=10_000).fit(paths, y)
    assert all(path.name in str(error.value) for path in bad)


def test_bad_targets_are_refused(clips):
    with pytest.raises(ValueError, match="inconsistent|length"):
        small_classifier().fit(clips.paths, clips.target[:-1])
    with pytest.raises(ValueError, match="class"):
        small_classifier().fit(clips.paths, np.repeat("I", len(clips.paths)))


@pytest.mark.slow
def test_model_of_600_real_clips_beats_chance_on_other_days(real_data):
    real = load_kaggle_breath(Path(real_data) / "kaggle-breath")
    rng = np.random.default_rng(0)
    days = rng.permutation(np.unique(real.day))
    held_out = np.isin(real.day, days[: len(days) // 3])
    fit_rows = rng.choice(np.flatnonzero(~held_out), 600, replace=False)
    test_rows = rng.choice(np.flatnonzero(held_out), 300, replace=False)
    model = make_breath_classifier(
        [("net", make_net_member(max_epochs=10, random_state=0))], cv=2
    )
    model.fit(
        real.paths[fit_rows],
        real.target[fit_rows],
        classifier__groups=real.recording[fit_rows],
    )
    assert model.score(real.paths[test_rows], real.target[test_rows]) > 0.62


def test_recordings_reach_every_use_of_a_model(clips, tmp_path):
    fast = small_classifier(preset="fast", max_epochs=1)
    X, y = clips.paths, clips.target
    known = {"groups": clips.day, "recordings": clips.recording}
    with sklearn.config_context(enable_metadata_routing=True):
        model = clone(fast).fit(X, y, **known)
        expected = model.predict_proba(X, recordings=clips.recording)
        scores = cross_val_score(fast, X, y, cv=2, scoring="accuracy", params=known)
    assert np.isfinite(scores).all()
    by_step = {f"classifier__{name}": values for name, values in known.items()}
    again = clone(fast).fit(X, y, **by_step)
    proba = again.predict_proba(X, recordings=clips.recording)
    np.testing.assert_array_equal(proba, expected)
    assert not np.array_equal(proba, again.predict_proba(X))

    save_model(model, tmp_path / "model.skb")
    loaded = load_model(tmp_path / "model.skb")
    # Batches of at least 3 files, in another order: recordings are not divided.
    order = np.random.default_rng(0).permutation(len(X))
    tables = predict_files(loaded, X[order], 3, recordings=clips.recording[order])
    table = pd.concat(tables)
    assert table["path"].tolist() == X[order].tolist()
    table = table.set_index("path").loc[X]
    np.testing.assert_allclose(table["probability_I"], proba[:, 1], atol=1e-6)
    tuned = fine_tune(loaded, X, y, recordings=clips.recording, n_updates=1)
    assert tuned.predict(X, recordings=clips.recording).shape == y.shape
    wrapped = FineTunedClassifier(loaded, n_updates=1).fit(X, y)
    assert wrapped.predict(X, recordings=clips.recording).shape == y.shape
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        predict_files(loaded, X, recordings=clips.recording[1:])
