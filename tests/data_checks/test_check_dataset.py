import os
import re
import shutil
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import soundfile

from skbreath import check_dataset, make_breath_sounds, write_breath_sounds

RATE = 8000


def write(path, seed, n_samples=RATE, rate=RATE, scale=0.1, subtype="PCM_16"):
    """A clip of noise of its own."""
    path.parent.mkdir(exist_ok=True, parents=True)
    sound = np.random.default_rng(seed).normal(scale=scale, size=n_samples)
    soundfile.write(path, sound, rate, subtype=subtype)
    return path


def found(result, level=None, check=None):
    """Text of the findings of a level and check."""
    table = result.findings
    for column, wanted in (("level", level), ("check", check)):
        if wanted is not None:
            table = table[table[column] == wanted]
    return " | ".join(table["finding"])


@pytest.fixture
def folder(tmp_path):
    """120 clips of 40 recordings in the layout of the competition."""
    data = tmp_path / "data"
    random = np.random.default_rng(0)
    rows = []
    for number in range(120):
        recording = f"steth_{20200000 + number // 12}_10_00_{number // 3:02d}"
        label = "I" if random.random() < 0.5 else "E"
        index = f"{random.integers(1000):03d}{number % 3}"
        write(data / "train" / f"{recording}_{index}.wav", number)
        rows.append((f"{recording}_{label}_{index}", label))
    pd.DataFrame(rows, columns=["ID", "Target"]).to_csv(data / "train.csv", index=False)
    for number in range(5):
        write(data / "test" / f"steth_20210101_10_00_0{number}_000.wav", 900 + number)
    names = pd.DataFrame({"ID": sorted(os.listdir(data / "test"))})
    names.to_csv(data / "test.csv", index=False)
    return data


def test_a_good_data_set_has_nothing_but_notes(folder):
    result = check_dataset(folder)
    assert result.layout == "kaggle"
    assert result.counts["error"] == result.counts["warning"] == 0, result.findings
    assert "40 recordings of 3 to 3 clips, on 10 days" in found(result, "note")
    assert "contain the label" in found(result, "note", "names")
    assert len(result.clips) == 125
    assert result.clips["subset"].value_counts().to_dict() == {"train": 120, "test": 5}
    np.testing.assert_allclose(result.clips["duration_s"], 1.0)
    np.testing.assert_allclose(result.clips["rms"], 0.1, rtol=0.1)


def test_all_wrong_files_and_rows_are_reported_at_once(folder):
    train = folder / "train"
    files = sorted(train.iterdir())
    table = pd.read_csv(folder / "train.csv")
    where = {  # the row of a file, whose name lacks the label
        path.name: row
        for row, name in enumerate(table["ID"])
        for path in files
        if name.replace("_I_", "_").replace("_E_", "_") == path.stem
    }
    label = table["Target"][where[files[3].name]]
    other = next(f for f in files[4:] if table["Target"][where[f.name]] != label)
    os.truncate(files[0], 0)
    os.truncate(files[1], 500)
    soundfile.write(files[2], np.zeros(RATE), RATE)
    shutil.copy(files[3], other)
    shutil.copy(files[3], folder / "test" / "steth_20210101_10_00_00_000.wav")
    write(train / "steth_20200101_10_00_00_999.wav", 5000)  # not listed
    files[-1].unlink()
    table.loc[where[files[5].name], "Target"] = ""
    table.loc[where[files[6].name], "Target"] = "X"
    table.to_csv(folder / "train.csv", index=False)
    result = check_dataset(folder)
    errors = found(result, "error")
    assert "2 of 124 files cannot be read: " in errors and str(files[0]) in errors
    assert "truncated" in errors and "0 bytes" in errors
    assert "1 IDs without a file" in errors and files[-1].stem[-4:] in errors
    assert "1 rows without a label" in errors
    assert "1 labels other than I and E" in errors and "3 labels:" in errors
    assert f"1 files are silent (peak below -84 dB): {str(files[2])!r}" in errors
    assert "1 sound is there more than once in train and test" in errors
    assert "1 audio files have no row in train.csv" in found(result, "warning")
    assert (result.findings["advice"] != "").all()
    assert result.findings["level"].tolist() == sorted(
        result.findings["level"], key=["error", "warning", "note"].index
    )


def test_copies_are_reported_by_kind(folder):
    files = sorted((folder / "train").iterdir())
    table = pd.read_csv(folder / "train.csv")
    label = {
        name.replace("_I_", "_").replace("_E_", "_"): target
        for name, target in table.values
    }
    inhales = [path for path in files if label[path.stem] == "I"]
    exhales = [path for path in files if label[path.stem] == "E"]
    shutil.copy(inhales[0], exhales[0])
    # As another format: the samples count, not the bytes.
    sound, rate = soundfile.read(inhales[1])
    soundfile.write(inhales[2], sound, rate, subtype="PCM_24")
    result = check_dataset(folder)
    assert f"under different labels: {str(exhales[0])!r}" in found(
        result, "error", "copies"
    ) or f"under different labels: {str(inhales[0])!r}" in found(
        result, "error", "copies"
    )
    assert str(inhales[2]) in found(result, "warning", "copies")


def label_folders(tmp_path, name, n=60, **settings):
    """Clips in a folder for each label; `name` makes the name of the file."""
    for number in range(n):
        label = "in" if number % 2 else "out"
        path = tmp_path / label / name(label, number)
        write(path, number, **{k: v(label) for k, v in settings.items()})
    return check_dataset(tmp_path)


def test_labels_from_folders_and_names_that_give_them_away(tmp_path):
    result = label_folders(tmp_path, lambda label, number: f"{label}{number}.wav")
    assert result.layout == "label folders"
    assert result.clips["label"].value_counts().to_dict() == {"in": 30, "out": 30}
    assert "predicted from file names alone: AUC 1.00" in found(result, "warning")
    assert "recording or person of each clip is unknown" in found(
        result, "warning", "groups"
    )


def test_level_and_format_that_give_labels_away(tmp_path):
    random = np.random.default_rng(0)
    result = label_folders(
        tmp_path,
        lambda label, number: f"{random.integers(10**6):06d}.wav",
        scale=lambda label: 0.2 if label == "in" else 0.02,
        subtype=lambda label: "PCM_16" if label == "in" else "PCM_24",
    )
    assert "format and length alone" in found(result, "warning", "format")
    assert "the level alone" in found(result, "warning", "level")
    assert "alone" not in found(result, check="names")


def test_levels_clipping_loops_and_lengths(tmp_path):
    random = np.random.default_rng(1)
    for number in range(20):
        sound = random.normal(scale=0.1, size=1000 + 50 * number)
        if number < 10:
            sound = np.resize(sound, RATE)
        if number == 19:
            sound = np.clip(random.normal(size=RATE).cumsum(), -0.9, 0.9)
        if number == 18:
            sound = 0.5 + sound
        soundfile.write(tmp_path / f"{number:02d}.wav", sound, RATE)
    result = check_dataset(tmp_path)
    assert result.layout == "plain"
    assert "10 of 20 files (50%) repeat a shorter sound" in found(result, "note")
    assert "1 files look clipped" in found(result, "warning", "level")
    assert "19.wav" in found(result, "warning", "level")
    assert "clips last 0.1" in found(result, "note", "length")
    assert "18.wav" in found(result, "note", "level")
    periods = result.clips["period_s"][:10] * RATE
    np.testing.assert_allclose(periods, 1000 + 50 * np.arange(10))


def test_table_with_groups(tmp_path):
    rows = []
    for number in range(40):
        path = write(tmp_path / "clips" / f"{number}.wav", number)
        patient = "p1" if number < 20 else f"p{number}"
        rows.append((f"clips/{path.name}", "I" if number < 34 else "E", patient))
    table = tmp_path / "clips.csv"
    columns = ["path", "label", "patient"]
    pd.DataFrame(rows, columns=columns).to_csv(table, index=False)
    result = check_dataset(table, group="patient")
    assert result.layout == "table"
    assert "'p1' holds 50% of the clips" in found(result, "warning", "groups")
    assert "I 34, E 6 (15% the rarer)" in found(result, "warning", "balance")
    assert "1 of 1 groups of 4 clips or more have only one label" in found(result)
    with pytest.raises(ValueError, match="got 'nurse'"):
        check_dataset(table, group="nurse")


def test_recordings_with_label_tracks(tmp_path):
    for number in range(4):
        write(tmp_path / f"r{number}.wav", number, n_samples=20 * RATE)
    (tmp_path / "r0.txt").write_text(
        "1\t2\tI\n2\t3\tE\n3.5\t4\tE\n5\t5.05\tI\n", encoding="utf-8"
    )
    (tmp_path / "r1.txt").write_text("1\t2\tI\n30\t31\tE\n", encoding="utf-8")
    (tmp_path / "r2.txt").write_text("3\t2\tI\n", encoding="utf-8")
    result = check_dataset(tmp_path)
    assert result.layout == "label tracks"
    assert "1 of 4 recordings have no label track" in found(result, "warning")
    errors = found(result, "error")
    assert "r2.txt" in errors and "reach beyond their recordings" in errors
    assert "6 phases: " in found(result, "note", "balance")
    assert "1 phases are shorter than 0.1 s" in found(result, "warning")
    assert "1 phases follow one with the same label" in found(result, "note")
    (tmp_path / "r3.txt").write_text("", encoding="utf-8")
    assert "1 label tracks have no phase: " in found(check_dataset(tmp_path), "warning")


def test_samples_of_8_bits_are_reported(tmp_path):
    write(tmp_path / "a.wav", 0, subtype="PCM_U8")
    write(tmp_path / "b.wav", 1)
    result = check_dataset(tmp_path)
    assert "1 files have 8 bits a sample: " in found(result, "warning", "format")


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        check_dataset(tmp_path / "gone")
    with pytest.raises(ValueError, match="Expected audio files"):
        check_dataset(tmp_path)
    (tmp_path / "train.csv").write_text("Name,Target\n", encoding="utf-8")
    with pytest.raises(ValueError, match="lists no clips"):
        check_dataset(tmp_path)


def test_all_files_bad_is_a_finding(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    result = check_dataset(tmp_path)
    assert result.counts["error"] == 1 and "a.wav" in found(result, "error")


def test_names_that_identify_a_recording_are_no_leak_if_recordings_stay_whole(tmp_path):
    # Nearly all clips of a person have one label, and the name contains the person.
    random = np.random.default_rng(0)
    persons = np.repeat(random.permutation(10), 40)
    positive = np.repeat(np.arange(10) % 2 == 0, 40) ^ (random.random(400) < 0.1)
    paths = [f"{person}_{number % 40}.wav" for number, person in enumerate(persons)]
    for number, path in enumerate(paths):
        write(tmp_path / path, number, n_samples=800)
    table = {
        "path": paths,
        "label": np.where(positive, "I", "E"),
        "person": [f"P{person}" for person in persons],
    }
    pd.DataFrame(table).to_csv(tmp_path / "clips.csv", index=False)
    warnings = found(check_dataset(tmp_path / "clips.csv", group="person"), "warning")
    assert "from file names alone" not in warnings
    # If clips of one person are in training and test, names predict labels.
    auc = re.search(r"labels of other clips of the recording: AUC ([\d.]+)", warnings)
    assert float(auc[1]) > 0.8


def test_memory_does_not_grow_with_the_files(tmp_path):
    for n in range(40):
        write(tmp_path / "many" / f"{n}.wav", n)
        if n < 10:
            write(tmp_path / "few" / f"{n}.wav", n)
    check_dataset(tmp_path / "few")
    peaks = []
    for folder in ("few", "many"):
        tracemalloc.start()
        check_dataset(tmp_path / folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 10 * RATE  # of 30 clips more, less than three


def test_threads_find_the_same(folder):
    one, two = check_dataset(folder), check_dataset(folder, n_jobs=2)
    pd.testing.assert_frame_equal(one.clips, two.clips)
    pd.testing.assert_frame_equal(one.findings, two.findings)


def test_synthetic_breaths_give_nothing_away(tmp_path):
    sounds = make_breath_sounds(120, n_subjects=20, random_state=0)
    result = check_dataset(write_breath_sounds(sounds, tmp_path / "data"))
    assert result.counts["error"] == 0
    assert "file names alone" not in found(result, "warning")


def test_the_traps_of_the_real_clips_are_found(real_data):
    result = check_dataset(real_data / "kaggle-breath")
    assert result.counts["error"] == 0
    warnings = found(result, "warning")
    assert "20190516_15_56_43_003.wav" in warnings
    assert "file names and the labels of other clips" in warnings
    assert "repeat a shorter sound" in found(result, "note", "loops")
    assert "1937 recordings" in found(result, "note", "groups")
