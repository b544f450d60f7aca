"""Whole recordings to phases: found, repeatable, streamed, honest about bad ones."""

import pickle

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import (
    AudioError,
    BreathFeatures,
    PhaseSegmenter,
    SummaryPooling,
    clips_from_recordings,
    event_scores,
    load_model,
    make_breath_recording,
    rate_errors,
    save_model,
)

# Fast to fit, and of other precision than trees: enough for what is tested here.
LINEAR = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
MADE = [
    make_breath_recording(40, rate, pauses=[(20, 6)], random_state=seed)
    for seed, rate in enumerate((10, 14, 18, 24, 12, 20))
]
SOUNDS = [made.waveform for made in MADE]
TABLES = [made.phases for made in MADE]


@pytest.fixture(scope="module")
def segmenter():
    return PhaseSegmenter(random_state=0, emission_weight=0.2).fit(
        SOUNDS[:4], TABLES[:4]
    )


@pytest.fixture(scope="module")
def clip_classifier():
    clips = clips_from_recordings(SOUNDS[:4], TABLES[:4])
    model = make_pipeline(
        BreathFeatures(groups=("mel",), n_mels=24, fmin=50.0),
        SummaryPooling(),
        StandardScaler(),
        LogisticRegression(C=0.1, max_iter=500),
    )
    return model.fit(clips.waveforms, clips.target)


def stream_of(segmenter, sound, sizes, rate=None):
    stream, out, first, k = segmenter.partial(rate), [], 0, 0
    while first < len(sound):
        size = sizes[k % len(sizes)]
        out.append((first + size, stream.push(sound[first : first + size])))
        first, k = first + size, k + 1
    return stream, out, stream.finish()


def joined(out, rest):
    tables = [table for _, table in out if len(table)] + [rest]
    return pd.concat([t for t in tables if len(t)], ignore_index=True)


def test_phases_of_new_recordings_are_found(segmenter):
    found = segmenter.predict(SOUNDS[4:])
    assert (event_scores(TABLES[4:], found)["f1"] > 0.8).all()
    assert np.all(np.abs(rate_errors(TABLES[4:], found)) < 1)
    for table in found:
        assert table["probability"].between(0, 1).all()
        assert (table["end_s"] > table["start_s"]).all()
        assert (table["start_s"].to_numpy()[1:] >= table["end_s"].to_numpy()[:-1]).all()
        assert table.attrs["note"] == ""


@given(sizes=st.lists(st.integers(1, 40_000), min_size=1, max_size=4))
@settings(deadline=None, max_examples=8)
def test_the_result_does_not_depend_on_the_blocks(sizes, segmenter):
    sound = SOUNDS[4][: 12 * 16000]
    sizes = [max(size, 400) if len(sizes) == 1 else size for size in sizes]
    (whole,) = segmenter.predict([sound])
    _, out, rest = stream_of(segmenter, sound, [*sizes, 5000])
    pd.testing.assert_frame_equal(joined(out, rest), whole, check_exact=True)


def test_online_is_offline_up_to_the_latency(segmenter):
    assert segmenter.latency_ < 0.5
    sound = SOUNDS[5][: 14 * 16000]
    (whole,) = segmenter.predict([sound])
    stream, out, rest = stream_of(segmenter, sound, [800])
    told = [heard / 16000 - end for heard, table in out for end in table["end_s"]]
    assert len(told) + len(rest) == len(whole)
    assert max(told) <= stream.latency + 800 / 16000
    # What is told needs nothing that comes later: another ending changes nothing.
    half = len(sound) // 2
    other = np.concatenate([sound[:half], 0.3 * SOUNDS[3][:half]])
    (changed,) = segmenter.predict([other])
    early = whole["end_s"] < half / 16000 - stream.latency
    assert early.sum() >= 2
    pd.testing.assert_frame_equal(
        changed[: early.sum()], whole[early], check_exact=True
    )


def test_an_empty_table_that_was_changed_is_not_returned_again(segmenter):
    stream = segmenter.partial()
    first = stream.push(np.zeros(16))
    assert first.dtypes.tolist() == [float, float, object, float]
    first["note"] = "mine"
    second = stream.push(np.zeros(16))
    assert second.empty and "note" not in second
    second.loc[0, "label"] = "I"
    assert stream.push(np.zeros(16)).empty


def test_current_phase_of_a_stream(segmenter):
    stream = segmenter.partial()
    assert stream.current is None
    stream.push(SOUNDS[4][:16000])
    label, start_s = stream.current
    assert label in (None, "I", "E") and 0 <= start_s < 1
    stream.finish()
    with pytest.raises(ValueError, match="finished"):
        stream.push(SOUNDS[4][:10])


def test_int16_blocks_and_a_later_start_give_the_same_phases(segmenter):
    sound = np.round(SOUNDS[4][: 10 * 16000] * 2**15).astype(np.int16)
    blocks = [sound[k : k + 500] for k in range(0, len(sound), 500)]
    plain, later = segmenter.partial(), segmenter.partial(start=100)
    for block in blocks:
        found = plain.push(block.astype(np.float32) / 2**15), later.push(block)
        found[0][["start_s", "end_s"]] += 100
        pd.testing.assert_frame_equal(*found)
        if plain.current is not None:
            assert later.current == (plain.current[0], plain.current[1] + 100)
    assert later.recent.breaths["onset_s"].between(100, 110).all()
    assert len(later.recent.breaths) == len(plain.recent.breaths) > 0
    with pytest.raises(ValueError, match="start must be a time"):
        segmenter.partial(start=-1)


def test_rate_and_note_are_those_of_the_last_seconds(segmenter):
    stream = segmenter.partial()
    assert np.isnan(stream.rate_per_min) and stream.note == ""
    stream.push(SOUNDS[4])
    assert 11 < stream.rate_per_min < 13 and stream.note == ""
    stream.push(np.zeros(6 * 16000))
    assert "no signal for 6 s" in stream.note
    stream.push(np.tile([0, 2.0**-15], 8000))
    assert "silent for 7 s" in stream.note
    stream.push(np.clip(SOUNDS[5] * 100, -1, 1))
    assert "clipped" in stream.note
    stream.push(SOUNDS[5])
    assert stream.note == ""
    for _ in range(70):
        stream.push(np.zeros(16000, np.int16))
    assert np.isnan(stream.rate_per_min)
    assert stream.recent.summary["longest_pause_s"] > 59
    stream.finish()
    assert "clipped" in stream.note


def test_level_changes_nothing(segmenter):
    (whole,) = segmenter.predict([SOUNDS[4]])
    for gain in (0.05, 1.04):
        (changed,) = segmenter.predict([SOUNDS[4] * np.float32(gain)])
        scores = event_scores(whole, changed, min_iou=0.9)
        assert (scores["f1"] > 0.95).all()


def test_files_of_any_rate_and_waveforms_agree(segmenter, tmp_path):
    soundfile.write(tmp_path / "same.wav", SOUNDS[4], 16000, "FLOAT")
    stereo = np.stack([SOUNDS[4], SOUNDS[4]], axis=1)
    soundfile.write(tmp_path / "stereo.flac", stereo, 16000, "PCM_24")
    slow = np.interp(np.arange(0, len(SOUNDS[4]), 16 / 22.05), *_indexed(SOUNDS[4]))
    soundfile.write(tmp_path / "other.wav", slow, 22050, "FLOAT")
    paths = [tmp_path / name for name in ("same.wav", "stereo.flac", "other.wav")]
    (whole,) = segmenter.predict([SOUNDS[4]])
    same, stereo, other = segmenter.predict(paths)
    pd.testing.assert_frame_equal(same, whole, check_exact=True)
    assert (event_scores(whole, stereo, min_iou=0.9)["f1"] == 1).all()
    assert (event_scores(whole, other, min_iou=0.7)["f1"] > 0.9).all()


def _indexed(values):
    return np.arange(len(values)), values


def test_fits_repeat_and_survive_clone_and_pickle():
    trees = HistGradientBoostingClassifier(max_iter=8, max_features=0.3)
    segmenter = PhaseSegmenter(classifier=trees, random_state=0, emission_weight=0.4)
    segmenter.fit(SOUNDS[:3], TABLES[:3])
    again = clone(segmenter).set_params(n_jobs=2).fit(SOUNDS[:3], TABLES[:3])
    loaded = pickle.loads(pickle.dumps(segmenter))
    (whole,) = segmenter.predict([SOUNDS[5]])
    for other in (again, loaded):
        pd.testing.assert_frame_equal(
            other.predict([SOUNDS[5]])[0], whole, check_exact=True
        )
    with pytest.raises(NotFittedError):
        clone(segmenter).predict([SOUNDS[5]])


def test_the_weight_of_frames_is_chosen_on_held_out_groups():
    trees = HistGradientBoostingClassifier(max_iter=8, max_features=0.3)
    model = PhaseSegmenter(classifier=trees, random_state=0)
    model.fit(SOUNDS[:4], TABLES[:4], groups=["a", "a", "b", "b"])
    assert 0.05 <= model.emission_weight_ <= 0.8
    again = clone(model).fit(SOUNDS[:4], TABLES[:4], groups=[1, 1, 2, 2])
    assert again.emission_weight_ == model.emission_weight_
    assert model.fit(SOUNDS[:1], TABLES[:1]).emission_weight_ == 0.4
    assert (
        model.set_params(emission_weight=0.3)
        .fit(SOUNDS[:1], TABLES[:1])
        .emission_weight_
        == 0.3
    )
    with pytest.raises(ValueError, match="each of the 2 recordings, got 3"):
        clone(model).set_params(emission_weight="auto").fit(
            SOUNDS[:2], TABLES[:2], groups=[1, 2, 3]
        )


def test_model_files_hold_segmenters(segmenter, clip_classifier, tmp_path):
    from_clips = PhaseSegmenter.from_classifier(clip_classifier)
    for model in (segmenter, from_clips):
        save_model(model, tmp_path / "phases.skb")
        again = load_model(tmp_path / "phases.skb")
        for expected, table in zip(
            model.predict(SOUNDS[4:5]), again.predict(SOUNDS[4:5]), strict=True
        ):
            pd.testing.assert_frame_equal(table, expected)


def test_segmenters_stored_without_features_give_the_same(segmenter):
    older = clone(segmenter)
    state = segmenter.__getstate__()
    del state["features_"]
    older.__setstate__(state)
    (expected,), (table,) = segmenter.predict(SOUNDS[4:5]), older.predict(SOUNDS[4:5])
    pd.testing.assert_frame_equal(table, expected)


def test_phase_models_that_contradict_themselves_are_refused(segmenter):
    for name, wrong in (
        ("emission", np.array([9, 0, 1, 0])),
        ("log_tail", np.zeros(9)),
    ):
        state = segmenter.__getstate__()
        state["phase_model_"] = state["phase_model_"] | {name: wrong}
        with pytest.raises(ValueError, match="arrays of a phase model must agree"):
            PhaseSegmenter().__setstate__(state)


def test_own_labels_and_classifier():
    tables = [t.replace({"I": "in", "E": "out"}) for t in TABLES[:2]]
    model = PhaseSegmenter(classifier=LINEAR, labels=("in", "out"), emission_weight=0.4)
    model.fit(SOUNDS[:2], tables)
    (found,) = model.predict(SOUNDS[:1])
    assert set(found["label"]) == {"in", "out"}
    assert model.classes_.tolist() == ["in", "out"]


def _speech(seconds=10, rate=16000, seed=0):
    """Voiced syllables with a gliding pitch and two formants, as in talking."""
    rng = np.random.default_rng(seed)
    n = seconds * rate
    time = np.arange(n) / rate
    pitch = 120 + 30 * np.interp(
        time, np.arange(seconds * 3), rng.normal(size=seconds * 3)
    )
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 30))
    out = np.zeros(n)
    for first, second in ((700, 1200), (300, 2300), (500, 900)):
        weight = np.maximum(0, np.sin(2 * np.pi * 1.3 * time + rng.uniform(0, 6)))
        for formant in (first, second):
            spectrum = np.fft.rfft(voice)
            frequency = np.fft.rfftfreq(n, 1 / rate)
            gain = 1 / (1 + ((frequency - formant) / 90) ** 2)
            out += weight * np.fft.irfft(spectrum * gain, n)
    syllables = np.maximum(0, np.sin(2 * np.pi * 2 * time)) ** 0.5
    return (0.3 * out * syllables / np.abs(out).max()).astype(np.float32)


@pytest.mark.parametrize(
    "sound, note, n_phases",
    [
        (np.zeros(0, np.float32), "is empty", 0),
        (np.zeros(32000, np.float32), "is silent", 0),
        (SOUNDS[0][:4000], "is too short", 0),
        (np.clip(SOUNDS[0] * 60, -1, 1), "is clipped", None),
        (_speech(), "sounds unlike", None),
    ],
)
def test_bad_recordings_say_why(sound, note, n_phases, segmenter):
    with pytest.warns(UserWarning, match=f"recording 1 {note}"):
        good, bad = segmenter.predict([SOUNDS[4], sound])
    assert good.attrs["note"] == ""
    assert note in bad.attrs["note"]
    assert bad.columns.tolist() == good.columns.tolist()
    if n_phases is not None:
        assert len(bad) == n_phases


def test_files_without_samples_are_empty_recordings(segmenter, tmp_path):
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros(0), 44100)
    with pytest.warns(UserWarning, match="none.wav' is empty"):
        (phases,) = segmenter.predict([path])
    assert len(phases) == 0
    with pytest.raises(AudioError, match="holds no samples"):
        PhaseSegmenter(classifier=LINEAR).fit([path], TABLES[:1])


@pytest.mark.parametrize("rate", [0, 99.5, "44100", np.nan])
def test_a_stream_needs_a_rate(rate, segmenter):
    with pytest.raises(ValueError, match="sample_rate must be a whole number"):
        segmenter.partial(rate)


@pytest.mark.parametrize(
    "block, what",
    [
        (np.zeros(100, np.int32), "integer samples"),
        (np.zeros((100, 1)), "one-dimensional"),
        (np.array([0.0, np.nan]), "NaN"),
    ],
)
def test_blocks_of_another_kind_are_refused(block, what, segmenter):
    stream = segmenter.partial(sample_rate=44100.0)
    with pytest.raises(ValueError, match=what):
        stream.push(block)


def test_no_phases_are_no_silence(segmenter):
    steady = np.random.default_rng(0).normal(size=80000).astype(np.float32) * 0.1
    with pytest.warns(UserWarning):
        (phases,) = segmenter.predict([steady])
    assert len(phases) or "no sound that was recognized" in phases.attrs["note"]


def test_speech_has_low_confidence(segmenter):
    with pytest.warns(UserWarning):
        (speech,) = segmenter.predict([_speech(seed=1)])
    (breath,) = segmenter.predict([SOUNDS[4]])
    sure = breath["probability"].median()
    assert len(speech) == 0 or speech["probability"].median() < 0.5 * sure


def wrong_tables():
    good = TABLES[1]
    yield good.assign(end_s=good["start_s"] - 0.1), "ends before it begins"
    yield good.assign(label="X"), "a label other than 'I', 'E'"
    yield good.assign(end_s=good["end_s"] + 2), "overlaps"
    late = pd.DataFrame({"start_s": [99.0], "end_s": [100.0], "label": ["I"]})
    yield pd.concat([good, late]), "beyond the end of the recording"


@pytest.mark.parametrize("table, what", list(wrong_tables()))
def test_wrong_annotations_name_recording_and_row(table, what, tmp_path):
    path = tmp_path / "second.wav"
    soundfile.write(path, SOUNDS[1], 16000)
    model = PhaseSegmenter(classifier=LINEAR)
    with pytest.raises(ValueError, match=what) as error:
        model.fit([tmp_path / "second.wav"], [table])
    assert "second.wav" in str(error.value) and "row " in str(error.value)


def test_wrong_input_is_refused(segmenter, tmp_path):
    with pytest.raises(ValueError, match="got 1 for 2"):
        PhaseSegmenter().fit(SOUNDS[:2], TABLES[:1])
    with pytest.raises(ValueError, match="got none of 'I'"):
        PhaseSegmenter().fit(SOUNDS[:1], [TABLES[0].query("label == 'E'")])
    with pytest.raises(ValueError, match="n_mels must be even"):
        PhaseSegmenter(n_mels=31).fit(SOUNDS[:1], TABLES[:1])
    with pytest.raises(ValueError, match="pass a list"):
        segmenter.predict("recording.wav")
    with pytest.raises(ValueError, match="1-D waveform"):
        segmenter.predict(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="integer samples"):
        segmenter.predict([np.zeros(100, np.int16)])
    with pytest.raises(AudioError, match="no such file"):
        segmenter.predict([tmp_path / "missing.wav"])


def test_from_a_clip_classifier_alone_and_better_with_annotations(clip_classifier):
    alone = PhaseSegmenter.from_classifier(clip_classifier)
    (whole,) = alone.predict([SOUNDS[4]])
    scores = event_scores(TABLES[4], whole, min_iou=0.3)["f1"]
    assert (scores > 0.5).all()
    _, out, rest = stream_of(alone, SOUNDS[4], [50_000, 777])
    blocks = joined(out, rest)
    assert blocks["label"].tolist() == whole["label"].tolist()
    assert np.allclose(blocks[["start_s", "end_s"]], whole[["start_s", "end_s"]])
    assert alone.latency_ < 1.0

    def score(found):
        return event_scores(TABLES[4:], found, min_iou=0.7)["f1"].mean()

    before = score(alone.predict(SOUNDS[4:]))
    trees = HistGradientBoostingClassifier(max_iter=60, max_features=0.3)
    alone.set_params(classifier=trees, random_state=0, emission_weight=0.4)
    after = score(alone.fit(SOUNDS[:4], TABLES[:4]).predict(SOUNDS[4:]))
    assert after > before


def test_a_clip_classifier_must_know_the_labels(clip_classifier):
    with pytest.raises(ValueError, match="without 'in'"):
        PhaseSegmenter.from_classifier(clip_classifier, labels=("in", "out"))


def test_a_long_recording_is_never_held_as_a_whole(segmenter, tmp_path):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 16000, 1) as out:
        for _ in range(15):
            out.write(np.concatenate([SOUNDS[4], SOUNDS[5]]))
    stream, largest = segmenter.partial(), 0
    with soundfile.SoundFile(path) as sound:
        for block in sound.blocks(160_000, dtype="float32"):
            stream.push(block)
            largest = max(largest, len(pickle.dumps(stream._frames._samples)))
            largest = max(largest, len(pickle.dumps(stream._sums)))
            largest = max(largest, len(pickle.dumps(stream._scorer._rows._context)))
    assert largest < 1_000_000
