"""Label files, good and bad, and clips made from noise."""

import os
import warnings

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.signal import spectrogram
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import (
    check_dataset,
    load_kaggle_breath,
    load_labelled_folder,
    make_breath_sounds,
    write_breath_sounds,
    write_submission,
)

TRAIN = {
    "steth_20180814_09_37_11_I_004": "I",
    "steth_20180814_09_37_11_E_005": "E",
    "steth_20190101_10_00_00_E_001": "E",
}
TEST = ["steth_20190713_09_58_25_007.wav", "steth_20180724_11_41_21_006.wav"]


def _file_of(clip_id):
    return clip_id.replace("_I_", "_").replace("_E_", "_") + ".wav"


@pytest.fixture
def folder(tmp_path):
    """A small competition folder."""
    for subset, names in (("train", map(_file_of, TRAIN)), ("test", TEST)):
        (tmp_path / subset).mkdir()
        for name in names:
            soundfile.write(tmp_path / subset / name, np.ones(10) / 2, 16000)
    rows = "".join(f"{i},{label}\n" for i, label in TRAIN.items())
    (tmp_path / "train.csv").write_text("ID,Target\n" + rows, encoding="utf-8")
    (tmp_path / "test.csv").write_text(
        "ID\n" + "\n".join(TEST) + "\n", encoding="utf-8"
    )
    return tmp_path


def test_train(folder):
    clips = load_kaggle_breath(folder)
    assert clips.paths.tolist() == [str(folder / "train" / _file_of(i)) for i in TRAIN]
    assert all(map(os.path.isfile, clips.paths))
    assert clips.target.tolist() == list(TRAIN.values())
    assert clips.id.tolist() == list(TRAIN)
    assert clips.recording.tolist() == [
        "steth_20180814_09_37_11",
        "steth_20180814_09_37_11",
        "steth_20190101_10_00_00",
    ]
    assert clips.day.tolist() == ["20180814", "20180814", "20190101"]
    assert clips.groups.tolist() == clips.recording.tolist()
    assert {getattr(clips, n).dtype.kind for n in ("paths", "target", "day")} == {"U"}
    assert clips.frame["path"].tolist() == clips.paths.tolist()
    assert clips.unlisted == []


def test_test(folder):
    clips = load_kaggle_breath(str(folder), subset="test")
    assert clips.target is None
    assert clips.id.tolist() == clips.frame["ID"].tolist() == TEST
    assert clips.paths.tolist() == [str(folder / "test" / i) for i in TEST]
    assert clips.day.tolist() == ["20190713", "20180724"]


def test_files_without_a_row_give_a_warning(folder):
    extra = folder / "train" / "steth_20190101_10_00_00_002.wav"
    extra.touch()
    for name in ("notes.txt", "._steth_20190101_10_00_00_001.wav"):
        (folder / "train" / name).touch()
    with pytest.warns(UserWarning, match="1 audio files have no row .*_002.wav"):
        clips = load_kaggle_breath(folder)
    assert clips.unlisted == [str(extra)]
    assert len(clips.paths) == 3


def _rows(*rows, header="ID,Target"):
    return "\n".join([header, *rows]) + "\n"


I4, E5, E1 = TRAIN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_rows(f"{I4},I", header="name,label"), r"lacks the columns 'ID', 'Target'; "),
        (_rows(), "has a header, but no rows"),
        ("", "is empty: expected a header"),
        ("ID,Target\n\xff", "is not a CSV file"),
        (_rows(f"{I4},I,more", f"{E5},E,more"), "is not a CSV file"),
        (_rows(f"{I4},I", f"{E5}"), r"an empty 'Target' in 1 of 2 rows: line 3"),
        (_rows(f"{I4},I", ",E"), r"an empty 'ID' in 1 of 2 rows: line 3"),
        (_rows(f"{I4},I", f"{E5},X", f"{E1},y"), r"unknown labels.*3 \('X'\).*4 \('y'"),
        (_rows(f"{I4},I"), "has only one class, 'I'"),
        (_rows(f"{I4},I", f"{E5},E", f"{I4},I"), r"repeated IDs in 2 .* 2 .* line 4"),
        (
            _rows(f"{I4},I", f"{E5},E", "steth_1,I"),
            r"without a file .* 1 of 3.*steth_1",
        ),
        (_rows(f"{I4},I", f"{E5},E", "../test/x,I"), "without a file"),
        (_rows(f"{I4},I", f"{I4.replace('I', 'E')},E"), "IDs of the same file in 2"),
    ],
)
def test_bad_train_tables(folder, text, message):
    (folder / "train.csv").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=message) as raised:
        load_kaggle_breath(folder)
    assert str(folder / "train.csv") in str(raised.value)


def test_words_for_inhale_and_exhale_are_read(folder):
    rows = _rows(f"{I4},Inhale", f"{E5},exp", f"{E1},E")
    (folder / "train.csv").write_text(rows, encoding="utf-8")
    with pytest.warns(UserWarning, match="labels read as I: Inhale; as E: exp .*train"):
        clips = load_kaggle_breath(folder)
    assert clips.target.tolist() == ["I", "E", "E"]
    findings = check_dataset(folder).findings
    assert "labels read as I: Inhale; as E: exp" in findings["finding"].tolist()
    assert not findings["finding"].str.contains("labels other than").any()


def test_first_ten_missing_files_and_the_count(folder):
    rows = [f"gone_{k},{'IE'[k % 2]}" for k in range(25)]
    (folder / "train.csv").write_text(_rows(*rows), encoding="utf-8")
    with pytest.raises(ValueError, match=r"25 of 25 .*'gone_9'\), and 15 more"):
        load_kaggle_breath(folder)


def test_other_file_names(folder):
    for name in ("patient7.wav", "a_steth_20180814_09_37_11_004.wav"):
        (folder / "train" / name).touch()
    (folder / "train.csv").write_text(
        _rows("patient7,I", "a_steth_20180814_09_37_11_004,E"), encoding="utf-8"
    )
    with pytest.raises(ValueError, match="names not like .* 2 of 2 .*load_labelled"):
        load_kaggle_breath(folder)


def test_no_such_folder_or_subset(tmp_path, folder):
    with pytest.raises(ValueError, match="does not exist"):
        load_kaggle_breath(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="subset must be"):
        load_kaggle_breath(folder, subset="valid")


def test_real_competition(real_data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # every file has its row
        train = load_kaggle_breath(real_data / "kaggle-breath")
        test = load_kaggle_breath(real_data / "kaggle-breath", "test")
    assert len(train.paths) == 2952
    assert (train.target == "I").sum() == 1460
    assert (train.target == "E").sum() == 1492
    assert all(map(os.path.isfile, train.paths))
    assert train.recording[0] == "steth_20180814_09_37_11"
    assert train.day[0] == "20180814"
    # A recording is of one day.
    assert train.frame.groupby("recording")["day"].nunique().max() == 1
    assert all(len(day) == 8 and day.isdigit() for day in {*train.day, *test.day})
    lines = (
        (real_data / "kaggle-breath" / "test.csv").read_text(encoding="utf-8").split()
    )
    assert test.id.tolist() == lines[1:]
    assert len(test.paths) == 150


def test_labelled_folder(tmp_path):
    (tmp_path / "clips").mkdir()
    names = ["NA", "01.wav", "ü, 2.wav"]
    for name in names:
        (tmp_path / "clips" / name).touch()
    table = tmp_path / "my.csv"
    frame = {"file": names, "phase": ["1", "0", "1"], "who": ["a", "b", "b"]}
    pd.DataFrame(frame).to_csv(table, index=False)
    columns = {"path_column": "file", "label_column": "phase"}
    clips = load_labelled_folder(
        table, tmp_path / "clips", group_column="who", **columns
    )
    assert clips.paths.tolist() == [str(tmp_path / "clips" / name) for name in names]
    assert clips.target.tolist() == ["1", "0", "1"]
    assert clips.groups.tolist() == ["a", "b", "b"]
    assert clips.id.tolist() == names
    with pytest.raises(ValueError, match="without a file .* 3 of 3 .*audio_folder"):
        load_labelled_folder(table, **columns)
    with pytest.raises(ValueError, match="lacks the columns 'path', 'label'"):
        load_labelled_folder(table)
    unlabelled = load_labelled_folder(
        table, tmp_path / "clips", path_column="file", label_column=None
    )
    assert unlabelled.target is None and unlabelled.groups is None


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_spreadsheets_and_names_of_other_systems(separator, tmp_path):
    for name in ("u\u0308.wav", "b.WAV", "c.flac"):
        (tmp_path / name).touch()
    table = tmp_path / "my.csv"
    rows = "path,label\n\u00fc.wav,I\nb.wav,E\nc.flac,E\n".replace(",", separator)
    table.write_text(rows, encoding="utf-8-sig")
    clips = load_labelled_folder(table)
    assert [os.path.basename(path) for path in clips.paths] == [
        "u\u0308.wav",
        "b.WAV",
        "c.flac",
    ]
    assert clips.id.tolist() == ["\u00fc.wav", "b.wav", "c.flac"]


def test_labelled_folder_with_repeats_or_one_class_is_an_error(tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    table = tmp_path / "my.csv"
    table.write_text(
        f"path,label\na.wav,I\n./a.wav,E\n{tmp_path}/b.wav,E\n", encoding="utf-8"
    )
    with pytest.raises(ValueError, match="repeated paths in 2 of 3 rows"):
        load_labelled_folder(table)
    table.write_text("path,label\na.wav,I\nb.wav,I\n", encoding="utf-8")
    with pytest.raises(ValueError, match="only one class"):
        load_labelled_folder(table)


def test_submission(folder, tmp_path):
    ids = load_kaggle_breath(folder, "test").id
    path = tmp_path / "submission.csv"
    path.write_text("old", encoding="utf-8")
    write_submission(path, ids, np.array(["E", "I"]))
    assert path.read_bytes() == f"ID,Target\n{TEST[0]},E\n{TEST[1]},I\n".encode()
    assert path.stat().st_mode == (tmp_path / "train.csv").stat().st_mode


@pytest.mark.parametrize(
    ("ids", "labels", "message"),
    [
        (["a", "b"], ["I"], "2 ids, but 1 labels"),
        ([], [], "ids is empty"),
        (["a", "b"], ["I", None], r"missing labels in 1 of 2 rows: line 3 \('b'\)"),
        (["a", "b"], ["I", np.nan], "missing labels"),
        (["a", "b"], ["I", ""], "missing labels"),
        (["a", None], ["I", "E"], "missing IDs"),
        (["a", "a"], ["I", "E"], "repeated IDs"),
    ],
)
def test_a_bad_submission_leaves_the_old_one(tmp_path, ids, labels, message):
    path = tmp_path / "submission.csv"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        write_submission(path, ids, labels)
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["submission.csv"]


def test_a_failed_write_leaves_nothing(tmp_path):
    class Unprintable:
        def __str__(self):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_submission(tmp_path / "s.csv", ["a", "b"], ["I", Unprintable()])
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_submission(tmp_path / "nowhere" / "s.csv", ["a"], ["I"])


def test_sounds_are_what_is_promised():
    sounds = make_breath_sounds(60, 5, sample_rate=8000, duration=0.5, random_state=0)
    assert sounds.waveforms.shape == (60, 4000)
    assert sounds.waveforms.dtype == np.float32
    assert np.abs(sounds.waveforms).max() < 1
    assert sounds.waveforms.std(axis=1).min() > 1e-4
    frame = pd.DataFrame({n: sounds[n] for n in ("target", "subject", "recording")})
    assert frame["target"].value_counts().to_dict() == {"I": 30, "E": 30}
    # Each subject and recording has both, and a recording is of one subject.
    assert (frame.groupby("subject")["target"].nunique() == 2).all()
    assert (frame.groupby("recording")["subject"].nunique() == 1).all()
    assert (frame.groupby("subject")["recording"].nunique() > 1).all()
    assert sounds.groups.tolist() == sounds.subject.tolist()
    assert "60 clips" in sounds.DESCR


def test_sounds_repeat_to_the_bit():
    first, again, other = (
        make_breath_sounds(12, 3, random_state=seed) for seed in (5, 5, 6)
    )
    for name in ("waveforms", "target", "recording"):
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first.waveforms, other.waveforms)
    assert not np.array_equal(first.waveforms[0], first.waveforms[1])


def test_some_clips_are_loops():
    waveforms = make_breath_sounds(60, 5, random_state=0).waveforms
    looped = [
        any(np.allclose(w[lag : lag + 400], w[:400], atol=1e-6) for lag in starts)
        for w in waveforms
        for starts in [np.flatnonzero(np.isclose(w[:-400], w[0], atol=1e-7))[1:]]
    ]
    assert 0.2 < np.mean(looped) < 0.9


def _log_bands(waveforms):
    """Compute mean and deviation over time of the level in 30 bands below 2 kHz."""
    _, _, power = spectrogram(waveforms, 16000, nperseg=512, noverlap=256)
    power = power[:, :60].reshape(len(waveforms), 30, 2, -1).mean(axis=2)
    level = 10 * np.log10(power + 1e-12)
    return np.hstack([level.mean(axis=-1), level.std(axis=-1)])


@pytest.mark.parametrize(
    ("difficulty", "low", "high"), [(0.0, 0.9, 1.0), (0.5, 0.7, 0.92), (1.0, 0.4, 0.6)]
)
def test_difficulty(difficulty, low, high):
    sounds = make_breath_sounds(400, 10, difficulty=difficulty, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    accuracy = cross_val_score(
        model,
        _log_bands(sounds.waveforms),
        sounds.target,
        groups=sounds.subject,
        cv=GroupKFold(5),
    ).mean()
    assert low <= accuracy <= high
    level = sounds.waveforms.std(axis=1)
    assert abs(roc_auc_score(sounds.target == "I", level) - 0.5) < 0.08


@pytest.mark.parametrize(
    "parameters",
    [{"n_clips": 1}, {"n_subjects": 0}, {"difficulty": 1.5}, {"duration": 0.0}],
)
def test_sound_parameters_are_checked(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        make_breath_sounds(**parameters)


def test_more_subjects_than_clips():
    with pytest.raises(ValueError, match="n_subjects=5 exceeds n_clips=4"):
        make_breath_sounds(4, 5)


def test_written_sounds_load_like_the_competition(tmp_path):
    sounds = make_breath_sounds(50, 4, random_state=0)
    folder = write_breath_sounds(sounds, tmp_path / "new" / "breath", test_size=0.2)
    assert folder == tmp_path / "new" / "breath"
    assert os.listdir(folder.parent) == ["breath"]
    train, test = load_kaggle_breath(folder), load_kaggle_breath(folder, "test")
    assert (len(train.paths), len(test.paths)) == (40, 10)
    assert {*train.recording, *test.recording} == set(sounds.recording)
    assert {*train.day, *test.day} == set(sounds.subject)
    # Each clip is there once, with its own label and recording.
    found = []
    for path, label, recording in zip(
        train.paths, train.target, train.recording, strict=True
    ):
        samples, rate = soundfile.read(path)
        assert rate == 16000
        row = np.abs(sounds.waveforms - samples).max(axis=1).argmin()
        np.testing.assert_allclose(sounds.waveforms[row], samples, atol=2**-15)
        assert (sounds.target[row], sounds.recording[row]) == (label, recording)
        found.append(row)
    assert len(set(found)) == 40


def test_names_of_written_sounds_do_not_contain_the_label(tmp_path):
    sounds = make_breath_sounds(300, 10, duration=0.05, random_state=0)
    folder = write_breath_sounds(sounds, tmp_path / "breath", test_size=0)
    clips = pd.read_csv(folder / "train.csv", dtype=str)
    index = clips["ID"].str[-3:].astype(int)
    inhale = clips["Target"] == "I"
    assert abs(roc_auc_score(inhale, index) - 0.5) < 0.1
    assert abs(roc_auc_score(inhale, index % 2) - 0.5) < 0.1
    files = os.listdir(folder / "train")
    assert not any("_I_" in name or "_E_" in name for name in files)


def test_written_sounds_never_mix_with_other_files(tmp_path):
    sounds = make_breath_sounds(4, 2, duration=0.05, random_state=0)
    (tmp_path / "empty").mkdir()
    write_breath_sounds(sounds, tmp_path / "empty")
    with pytest.raises(ValueError, match="is not empty"):
        write_breath_sounds(sounds, tmp_path / "empty")
    with pytest.raises(ValueError, match="leaves no training clips"):
        write_breath_sounds(sounds, tmp_path / "other", test_size=1.0)
    assert os.listdir(tmp_path) == ["empty"]


def test_accents_of_files_and_tables_may_be_written_differently(folder):
    rows = []
    for number, label in enumerate("IE"):
        name = f"e\u0301t\u00e9_20180814_09_37_11_{number}.wav"
        soundfile.write(folder / "train" / name, np.ones(10) / 2, 16000)
        rows.append(f"\u00e9te\u0301_20180814_09_37_11_{label}_{number},{label}")
    (folder / "train.csv").write_text(_rows(*rows), encoding="utf-8")
    with pytest.warns(UserWarning, match="have no row"):
        clips = load_kaggle_breath(folder)
    assert all(map(os.path.isfile, clips.paths))
    assert check_dataset(folder).layout == "kaggle"
