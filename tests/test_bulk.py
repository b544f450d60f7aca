import os
import shutil
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import (
    AudioError,
    AudioReader,
    AudioWarning,
    BreathFeatures,
    SummaryPooling,
    ThresholdClassifier,
    load_kaggle_breath,
)
from skbreath.bulk import ResumableTable
from skbreath.pipeline import predict_files


@pytest.fixture(scope="module")
def clips(breath_folder):
    return load_kaggle_breath(breath_folder)


@pytest.fixture(scope="module", params=["threshold", "plain"])
def model(request, clips):
    last = LogisticRegression()
    if request.param == "threshold":
        last = ThresholdClassifier(last, pos_label="I", cv=2)
    features = BreathFeatures(groups=("mel",))
    steps = AudioReader(), features, SummaryPooling(), StandardScaler(), last
    model = make_pipeline(*steps)
    return model.fit(clips.paths, clips.target)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_batches_give_what_predict_gives(model, clips, batch_size):
    table = pd.concat(predict_files(model, clips.paths, batch_size))
    assert table["path"].tolist() == clips.paths.tolist()
    assert table["label"].tolist() == model.predict(clips.paths).tolist()
    np.testing.assert_allclose(
        table[["probability_E", "probability_I"]],
        model.predict_proba(clips.paths),
        atol=1e-6,
    )


def test_file_that_goes_bad_meanwhile_is_named_and_earlier_batches_stay(
    model, clips, tmp_path
):
    last = shutil.copy(clips.paths[0], tmp_path / "last.wav")
    batches = predict_files(model, [*clips.paths[:4], last], 2)
    assert len(next(batches)) == len(next(batches)) == 2
    os.truncate(last, 0)
    with pytest.raises(AudioError, match="last.wav"):
        next(batches)


def test_wrong_arguments_are_refused_at_once(model, clips):
    with pytest.raises(ValueError, match="batch_size"):
        predict_files(model, clips.paths, 0)
    with pytest.raises(ValueError, match="model.predict"):
        predict_files(model, np.zeros((2, 100)))


def rows(start, stop):
    return pd.DataFrame({"path": [f"{i}.wav" for i in range(start, stop)], "p": 0.5})


def test_table_goes_on_after_a_torn_write(tmp_path):
    path = tmp_path / "labels.csv"
    with ResumableTable(path, ["job"]) as table:
        table.append(rows(0, 3))
    assert not path.exists()
    with open(f"{path}.partial", "ab") as partial:
        partial.write(b"3.wav,0.")  # killed in the middle of a line
    with ResumableTable(path, ["job"]) as table:
        assert table.n_done == 3
        table.append(rows(3, 5))
        table.finish()
    pd.testing.assert_frame_equal(pd.read_csv(path), rows(0, 5))
    assert os.listdir(tmp_path) == ["labels.csv"]


def test_unfinished_table_of_another_job_is_kept_and_refused(tmp_path):
    path = tmp_path / "labels.csv"
    with ResumableTable(path, ["model", "a.wav"]) as table:
        table.append(rows(0, 1))
    with pytest.raises(ValueError, match="another model or other files"):
        ResumableTable(path, ["model", "b.wav"])
    with ResumableTable(path, ["model", "a.wav"]) as table:
        assert table.n_done == 1


def test_job_that_never_wrote_a_row_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), ResumableTable(tmp_path / "x.csv", ["job"]):
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_file_names_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"caf\xe9,\n.wav")
    path = tmp_path / "labels.csv"
    with ResumableTable(path, [name]) as table:
        table.append(pd.DataFrame({"path": [name]}))
        table.finish()
    assert path.read_bytes() == b'path\n"caf\xe9,\n.wav"\n'


def test_killed_prediction_resumes_and_ends_the_same(clips, tmp_path):
    import joblib

    steps = BreathFeatures(groups=("mel",)), SummaryPooling(), StandardScaler()
    model = make_pipeline(AudioReader(), *steps, LogisticRegression())
    joblib.dump(model.fit(clips.paths, clips.target), tmp_path / "model.joblib")
    command = [sys.executable, "-m", "skbreath", "predict", "--batch-size", "1"]
    command += ["--model", tmp_path / "model.joblib", *clips.paths, "--out"]
    subprocess.run([*command, tmp_path / "whole.csv"], check=True)

    process = subprocess.Popen([*command, tmp_path / "killed.csv"])
    note = tmp_path / "killed.csv.progress"
    deadline = time.monotonic() + 120
    while not note.exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)  # waiting for another process, not for a moment in time
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed.csv").exists()
    assert note.exists()
    subprocess.run([*command, tmp_path / "killed.csv"], check=True)
    killed = (tmp_path / "killed.csv").read_bytes()
    assert killed == (tmp_path / "whole.csv").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["killed.csv", "model.joblib", "whole.csv"]


@pytest.fixture
def some_bad(clips, tmp_path):
    """Twelve paths, of which four are bad in header or samples; and the reasons."""
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "nan.wav", np.full(9, np.nan), 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "cut.flac", np.random.default_rng(0).random(9999), 16000)
    os.truncate(tmp_path / "cut.flac", 9000)
    bad = {
        str(tmp_path / "empty.wav"): "0 bytes",
        str(tmp_path / "nan.wav"): "NaN",
        str(tmp_path / "cut.flac"): "flac",
        str(tmp_path / "gone.wav"): "no such file",
    }
    paths = clips.paths[:8].tolist()
    for place, path in zip((0, 3, 4, 11), bad, strict=True):
        paths.insert(place, path)
    return paths, bad


def test_all_bad_files_are_named_before_any_is_predicted(model, some_bad):
    paths, bad = some_bad
    with pytest.raises(AudioError) as raised:
        predict_files(model, paths, 2)
    found = dict(raised.value.problems)
    assert list(found) == list(bad)
    assert all(reason in found[path] for path, reason in bad.items())


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_bad_files_can_be_skipped_and_leave_no_label(model, some_bad, batch_size):
    paths, bad = some_bad
    table = pd.concat(predict_files(model, paths, batch_size, errors="skip"))
    assert table["path"].tolist() == paths
    wrong = table["error"].notna()
    assert table["path"][wrong].tolist() == list(bad)
    assert table.loc[wrong].drop(columns=["path", "error"]).isna().all(axis=None)
    expected = pd.concat(predict_files(model, table["path"][~wrong]))
    found = table[~wrong].drop(columns="error")
    assert found["label"].tolist() == expected["label"].tolist()
    proba = ["probability_E", "probability_I"]
    np.testing.assert_allclose(found[proba], expected[proba], atol=1e-6)


def test_unfamiliar_audio_is_told_once_a_run(clips, tmp_path):
    steps = BreathFeatures(groups=("mel",)), SummaryPooling(), StandardScaler()
    model = make_pipeline(AudioReader(drift="warn"), *steps, LogisticRegression())
    model.fit(clips.paths, clips.target)
    noise = np.random.default_rng(0).normal(0, 0.3, (12, 16000)).clip(-1, 1)
    noise[[3, 9]] = 0
    paths = [str(tmp_path / f"{number}.wav") for number in range(12)]
    for path, sound in zip(paths, noise, strict=True):
        soundfile.write(path, sound, 16000)

    def warned(batches, n):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", AudioWarning)
            assert sum(map(len, batches)) == n
        return [str(warning.message) for warning in caught]

    for _ in range(2):  # of the next run it is news again
        batches = predict_files(model, paths, 3, errors="skip")
        first, *others = warned(batches, 12)
        assert first.startswith("3 of 3 clips are unlike the training audio (level")
        assert "later batches" in first
        # Silent clips have each a name to be told.
        assert not any("unlike" in message for message in others)
        assert {"3.wav" in message for message in others} == {True, False}
    batches = predict_files(model, paths[:3], 1)
    next(batches)
    # What others predict meanwhile is none of its business.
    (alone,) = warned(map(model.predict, [paths[:3]]), 3)
    assert "later batches" not in alone
    assert warned(batches, 2) == []


def test_error_of_another_file_is_not_taken_for_one_of_these(clips):
    class Broken:
        classes_ = np.array(["E", "I"])

        def predict_proba(self, X):
            raise AudioError([("other.wav", "is empty")])

    with pytest.raises(AudioError, match="other.wav"):
        list(predict_files(Broken(), clips.paths[:2], errors="skip"))
    with pytest.raises(ValueError, match="errors must be"):
        predict_files(Broken(), clips.paths[:2], errors="ignore")
