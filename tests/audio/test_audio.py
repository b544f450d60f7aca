"""Read files of every format, bad files, and clips in any order and company."""

import os
import pickle
import struct
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbreath import (
    AudioError,
    AudioReader,
    AudioWarning,
    as_paths_or_waveforms,
    check_audio_files,
    find_audio_files,
    load_audio,
)

RATE = 16000


def _noise(n_samples, n_channels=1, seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.1, (n_samples, n_channels))
    return noise.clip(-0.9, 0.9)


@pytest.fixture
def write(tmp_path):
    """Write samples to a file of a name, and give its path."""

    def write_file(name, samples=None, rate=RATE, **options):
        path = tmp_path / name
        samples = _noise(RATE // 4) if samples is None else samples
        soundfile.write(path, samples, rate, **options)
        return str(path)

    return write_file


@parametrize_with_checks([AudioReader(), AudioReader(duration=None)])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(
    ("extension", "subtype", "tolerance"),
    [
        ("wav", "PCM_U8", 2**-7),
        ("wav", "PCM_16", 2**-15),
        ("wav", "PCM_24", 2**-23),
        ("wav", "PCM_32", 1e-7),
        ("wav", "FLOAT", 1e-7),
        ("wav", "DOUBLE", 1e-7),
        ("flac", "PCM_16", 2**-15),
        ("flac", "PCM_24", 2**-23),
        ("aiff", "PCM_16", 2**-15),
        ("aiff", "FLOAT", 1e-7),
        ("ogg", "VORBIS", 0.4),
    ],
)
def test_formats(write, extension, subtype, tolerance, n_channels):
    samples = _noise(4000, n_channels)
    path = write(f"a.{extension}", samples, subtype=subtype)
    waveform, rate = load_audio(path)
    assert (rate, waveform.dtype, waveform.shape) == (RATE, np.float32, (4000,))
    np.testing.assert_allclose(waveform, samples.mean(axis=1), atol=tolerance + 1e-7)
    clip = AudioReader(duration=0.25).fit_transform([path])
    np.testing.assert_array_equal(clip, [waveform])


def test_float_samples_keep_their_scale(write):
    path = write("a.wav", np.array([0.0, 3.0, -2.5]), subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(path)[0], np.float32([0, 3, -2.5]))


@pytest.mark.parametrize("source", [4000, 8000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("target", [4000, 16000])
def test_resampling_is_soxr(write, source, target):
    samples = _noise(2 * source).astype(np.float32)
    path = write("a.wav", samples, source, subtype="FLOAT")
    whole = soxr.resample(samples[:, 0], source, target)
    np.testing.assert_array_equal(load_audio(path, sample_rate=target)[0], whole)
    # Only a part of the file is decoded for a clip; it must not show.
    reader = AudioReader(sample_rate=target, duration=0.7)
    clip = reader.fit_transform([path])[0]
    np.testing.assert_allclose(clip, whole[: len(clip)], atol=1e-6)


def test_stereo_44100(write):
    samples = _noise(44100, 2)
    path = write("a.wav", samples, 44100, subtype="FLOAT")
    clip = AudioReader().fit_transform([path])
    assert clip.shape == (1, RATE)
    mono = samples.astype(np.float32).mean(axis=1)
    np.testing.assert_allclose(clip[0], soxr.resample(mono, 44100, RATE), atol=1e-6)


def test_pads_with_zeros_and_cuts_at_the_end(write):
    samples = _noise(4000)
    path = write("a.wav", samples, subtype="FLOAT")
    clips = np.float32(samples.T)
    for X in ([path], clips):
        longer = AudioReader(duration=0.5).fit_transform(X)
        assert longer.shape == (1, 8000)
        np.testing.assert_array_equal(longer[:, :4000], clips)
        assert not longer[:, 4000:].any()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)
            shorter = AudioReader(duration=0.1).fit_transform(X)
        np.testing.assert_array_equal(shorter, clips[:, :1600])


def test_waveforms_that_are_cut_give_one_warning_per_call(write):
    message = r"rows of X hold 44100 samples, 2.76 s at 16000 Hz; only the first 16000"
    waveforms = 0.1 * _noise(44100, 3).T
    reader = AudioReader()
    for read in (reader.fit_transform, reader.transform):
        with pytest.warns(AudioWarning, match=message) as caught:
            read(waveforms)
        assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", AudioWarning)
        reader.fit_transform(waveforms[:, :16100])  # less than a hundredth second
        reader.fit_transform(waveforms[:, :8000])
        AudioReader(duration=None).fit_transform(waveforms)


def test_duration_none_takes_the_longest_clip_of_fit(write):
    short, long, longer = (
        write(f"{n}.wav", _noise(n), 8000, subtype="FLOAT") for n in (400, 800, 900)
    )
    reader = AudioReader(sample_rate=4000, duration=None).fit([short, long])
    assert reader.n_samples_ == 400
    assert reader.transform([short, longer]).shape == (2, 400)
    assert AudioReader(duration=None).fit_transform(np.ones((2, 7))).shape == (2, 7)


@pytest.mark.parametrize(
    "wrap",
    [
        list,
        tuple,
        np.array,
        lambda paths: np.array(paths, dtype=object),
        lambda paths: np.array(paths)[:, None],
        lambda paths: [os.fspath(paths[0]), *map(type(paths[0]), paths[1:])],
        pd.Series,
        lambda paths: pd.Series(paths, index=[5, 5]),
        lambda paths: pd.DataFrame({"file": paths}),
    ],
)
def test_forms_of_paths(write, wrap):
    paths = [write("a.wav", _noise(100, seed=1)), write("b.wav", _noise(100, seed=2))]
    expected = AudioReader().fit_transform(paths)
    assert not np.array_equal(expected[0], expected[1])
    np.testing.assert_array_equal(AudioReader().fit_transform(wrap(paths)), expected)


def test_pathlib(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.ones(5) / 2, RATE)
    assert AudioReader().fit_transform([tmp_path / "a.wav"]).shape == (1, RATE)
    assert load_audio(tmp_path / "a.wav")[0].shape == (5,)


@pytest.mark.parametrize(
    ("dtype", "subtype"),
    [("uint8", "PCM_U8"), ("int16", "PCM_16"), ("int32", "PCM_32")],
)
def test_integer_arrays_are_scaled_like_files(write, dtype, subtype):
    path = write("a.wav", _noise(500), subtype=subtype)
    samples = soundfile.read(path, dtype="int32")[0]
    samples = samples >> (32 - 8 * np.dtype(dtype).itemsize)
    samples = (samples + (128 if dtype == "uint8" else 0)).astype(dtype)
    reader = AudioReader(duration=None)
    np.testing.assert_array_equal(
        reader.fit_transform(samples[None]), reader.fit_transform([path])
    )


def test_other_numbers_are_taken_as_they_are():
    for X in ([[1, 2]], np.array([[1, 2]], "f8"), [[True, False]], [[1.0, 2]]):
        clips = as_paths_or_waveforms(X)
        assert clips.dtype == np.float32
        np.testing.assert_array_equal(clips, np.asarray(X))


def test_width_of_waveforms():
    reader = AudioReader().fit(np.ones((2, 30)))
    assert reader.n_features_in_ == 30
    with pytest.raises(ValueError, match="20 features, but AudioReader is expecting"):
        reader.transform(np.ones((2, 20)))


def test_fit_on_paths_forgets_the_width(write):
    reader = AudioReader().fit(np.ones((2, 30)))
    reader.fit([write("a.wav")])
    assert not hasattr(reader, "n_features_in_")
    assert reader.transform(np.ones((3, 20))).shape == (3, RATE)


def test_needs_no_fit_where_nothing_is_learned():
    waveforms = np.ones((2, 10), dtype=np.float32)
    assert AudioReader(duration=0.5).transform(waveforms).shape == (2, 8000)
    with pytest.raises(NotFittedError):
        AudioReader(duration=None).transform(waveforms)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("a.wav", "single path"),
        ([], "empty"),
        (np.empty(0, dtype=object), "empty"),
        (np.empty((0, 3)), "0 sample"),
        (np.arange(3.0), "X is 1-D and its 3 entries are not paths"),
        ([1, 2], "1-D"),
        ([None], "1-D"),
        ([[1, 2], [3]], r"different lengths \(1 to 2 samples\)"),
        (["a.wav", None, "b.wav", 3.5], r"2 of its 4 .* 1 \(NoneType\), 3 \(float\)"),
        (["a.wav", ""], r"1 \(empty text\)"),
        (pd.Series(["a.wav", None]), r"positions 1 \("),
        (pd.DataFrame({"file": ["a.wav"], "label": ["I"]}), "has 2 columns"),
        (pd.DataFrame({"file": ["a.wav"], "age": [3]}), "has 2 columns"),
        (np.zeros((2, 2, 2)), "dim 3"),
        (None, "Expected 2D array"),
    ],
)
def test_neither_paths_nor_waveforms(X, message):
    with pytest.raises(ValueError, match=message):
        as_paths_or_waveforms(X)
    with pytest.raises(ValueError, match=message):
        AudioReader().fit(X)


def test_first_ten_and_the_count():
    with pytest.raises(ValueError, match=r"15 of its 16.* 10 \(int\), and 5 more of "):
        as_paths_or_waveforms(["a.wav", *range(15)])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_waveforms_that_are_not_finite(value):
    X = np.zeros((30, 8))
    X[[3, 7], 2] = value
    reader = AudioReader().fit(np.zeros((1, 8)))
    for call in (reader.transform, reader.fit, reader.fit_transform):
        with pytest.raises(ValueError, match=r"2 of 30 .*NaN or inf.* rows 3, 7 of th"):
            call(X)


def _truncate(path, share=0.6):
    data = open(path, "rb").read()
    with open(path, "wb") as file:
        file.write(data[: int(len(data) * share)])
    return path


@pytest.fixture
def bad_files(tmp_path, write):
    """Path and reason, for all that may be wrong with a file."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no audio at all " * 100, encoding="utf-8")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "samples.raw").write_bytes(b"\0" * 1000)
    os.mkfifo(tmp_path / "pipe.wav")
    holes = _noise(400)
    holes[[3, 5]] = np.nan
    rate_1 = write("rate.wav")
    with open(rate_1, "r+b") as file:
        file.seek(24)
        file.write(struct.pack("<I", 1))
    reasons = {
        str(tmp_path / "missing.wav"): "no such file",
        str(tmp_path / "nul\0.wav"): "cannot be opened",
        str(tmp_path / "empty.wav"): "0 bytes",
        str(tmp_path / "text.wav"): "not readable as audio",
        str(tmp_path / "samples.raw"): "not readable as audio",
        str(tmp_path / "folder.wav"): "is a directory",
        str(tmp_path / "pipe.wav"): "not a regular file",
        write("none.wav", np.empty(0)): "holds no samples",
        write("nan.wav", holes, subtype="FLOAT"): "has 2 NaN or infinite samples",
        write("inf.wav", np.array([1e300]), subtype="DOUBLE"): "has 1 NaN or infinite",
        write("loud.wav", np.full(9, -1e20), subtype="FLOAT"): "has 9 samples beyond",
        rate_1: "rate of 1 Hz",
        _truncate(write("header.wav"), 0.001): "not readable as audio",
        _truncate(write("cut.wav")): "announces 8000 bytes, 4782 are there",
        _truncate(write("cut8.wav", subtype="PCM_U8")): "is truncated",
        _truncate(write("cut.rf64", format="RF64")): "is truncated",
        _truncate(write("cut.w64")): "is truncated",
        _truncate(write("cut.aiff")): "is truncated",
        _truncate(write("cut.au")): "is truncated",
        _truncate(write("cut.ogg", _noise(RATE * 3))): "is truncated",
    }
    return reasons


def test_every_bad_file_is_named_with_its_reason(bad_files, write):
    good = write("good.wav")
    fitted = AudioReader().fit([good])
    paths = [good, *bad_files, good]
    for call in (fitted.transform, clone(fitted).fit_transform):
        with pytest.raises(AudioError) as raised:
            call(paths)
        found = dict(raised.value.problems)
        assert list(found) == list(bad_files)
        for path, reason in bad_files.items():
            assert reason in found[path], path
    message = str(raised.value)
    assert message.startswith(f"{len(bad_files)} audio files cannot be used: ")
    assert message.endswith(f"and {len(bad_files) - 10} more")
    assert "\n" not in message
    assert sum(repr(path) in message for path in bad_files) == 10


def test_bad_headers_are_found_before_anything_is_read(bad_files, write):
    in_samples = ("nan.wav", "inf.wav", "loud.wav")
    only_in_samples = {path for path in bad_files if path.endswith(in_samples)}
    for call in (check_audio_files, AudioReader().fit):
        with pytest.raises(AudioError) as raised:
            call([write("good.wav"), *bad_files])
        found = {path for path, _ in raised.value.problems}
        assert found == set(bad_files) - only_in_samples
    durations = check_audio_files([write("a.wav"), write("b.wav", rate=8000)])
    np.testing.assert_allclose(durations, [0.25, 0.5])


def test_damage_inside_compressed_samples(write):
    for path in (write("a.flac", _noise(RATE)), write("b.flac", _noise(RATE))):
        assert load_audio(path)[0].shape == (RATE,)
    _truncate(path)
    check_audio_files([path])
    with pytest.raises(AudioError, match="b.flac"):
        load_audio(path)


def test_memory_follows_the_file_not_its_header(write):
    path = write("a.flac", _noise(1000))
    with open(path, "r+b") as file:  # announce 2**36 - 1 frames in STREAMINFO
        file.seek(21)
        byte = file.read(1)[0]
        file.seek(21)
        file.write(bytes([byte | 0x0F]) + b"\xff" * 4)
    assert check_audio_files([path])[0] > 1e6
    tracemalloc.start()
    with pytest.raises(AudioError, match="a.flac"):
        load_audio(path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_lengths_that_do_no_harm(write):
    path = write("odd.wav", _noise(999), subtype="PCM_U8")
    data = bytearray(open(path, "rb").read())
    # The pad byte forgotten, and a RIFF size that counts its own header.
    data[4:8] = struct.pack("<I", len(data))
    with open(path, "wb") as file:
        file.write(data[:-1])
    assert load_audio(path)[0].shape == (999,)


def test_error_survives_pickling():
    error = AudioError([("a.wav", "is empty"), ("b.wav", "no such file")])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.problems) == (str(error), error.problems)
    assert isinstance(again, ValueError)


@pytest.mark.parametrize("rate", [0, -5, 8000.5, "16000"])
def test_load_audio_checks_its_rate(write, rate):
    with pytest.raises(ValueError, match="sample_rate must be"):
        load_audio(write("a.wav"), sample_rate=rate)


@pytest.mark.parametrize(
    "parameters",
    [{"sample_rate": 0}, {"duration": 0}, {"duration": -1.0}, {"n_jobs": 1.5}],
)
def test_parameters_are_checked(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        AudioReader(**parameters).fit(np.ones((2, 3)))


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Clips of different lengths and rates."""
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    for i in range(150):
        rate = int(rng.choice([8000, 16000, 22050]))
        soundfile.write(
            folder / f"{i}.wav", _noise(int(rng.integers(100, 3000)), seed=i), rate
        )
    return [str(folder / f"{i}.wav") for i in range(150)]


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_n_jobs_and_backends_change_nothing(many, backend):
    alone = AudioReader(duration=0.1).fit_transform(many)
    with parallel_config(backend=backend):
        parallel = AudioReader(duration=0.1, n_jobs=2).fit(many).transform(many)
    np.testing.assert_array_equal(alone, parallel)


def test_one_error_from_all_threads(many, tmp_path):
    paths = list(many)
    for i in range(0, 150, 10):
        paths[i] = str(tmp_path / f"missing{i}.wav")
    with pytest.raises(AudioError, match="^15 audio files .* and 5 more$") as raised:
        AudioReader(n_jobs=2).fit_transform(paths)
    assert [path for path, _ in raised.value.problems] == paths[::10]


@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_order_and_company_do_not_matter(many, data):
    chosen = data.draw(
        st.lists(st.integers(0, 149), min_size=1, max_size=20), label="rows"
    )
    reader = AudioReader(duration=0.1).fit(many[:1])
    together = reader.transform([many[i] for i in chosen])
    for row, i in enumerate(chosen):
        np.testing.assert_array_equal(together[row], reader.transform([many[i]])[0])


def test_names_do_not_matter(many, tmp_path):
    other = tmp_path / "inhale_E_999.wav"
    other.write_bytes(open(many[0], "rb").read())
    clips = AudioReader().fit_transform([many[0], other])
    np.testing.assert_array_equal(clips[0], clips[1])


def test_real_clips(real_data):
    paths = sorted((real_data / "kaggle-breath" / "train").glob("*.wav"))[:50]
    clips = AudioReader().fit_transform(paths)
    assert clips.shape == (50, 16000)
    for clip, path in zip(clips, paths, strict=True):
        np.testing.assert_array_equal(clip, soundfile.read(path, dtype="float32")[0])


def test_real_recordings(real_data):
    paths = sorted((real_data / "nose-mic").glob("*.wav"))[:3]
    durations = check_audio_files(paths)
    reader = AudioReader(duration=None, n_jobs=2).fit(paths)
    assert reader.n_samples_ == pytest.approx(durations.max() * 16000, abs=1)
    assert reader.transform(paths).shape == (3, reader.n_samples_)


def _found(folder):
    files = find_audio_files(folder)
    return [os.path.relpath(file, folder).replace(os.sep, "/") for file in files]


def test_a_folder_gives_all_files_that_can_be_read(tmp_path):
    suffixes = {
        "WAV": (".wav", ".wave", ".Bwf"),
        "RF64": (".RF64",),
        "W64": (".w64",),
        "FLAC": (".Flac",),
        "OGG": (".ogg", ".oga", ".opus"),
        "MP3": (".MP3", ".mp2"),
        "AIFF": (".aif", ".aiff", ".aifc"),
        "AU": (".au", ".snd"),
        "CAF": (".caf",),
        "NIST": (".sph", ".nist"),
        "VOC": (".voc",),
        "IRCAM": (".sf",),
    }
    written = []
    for format, names in suffixes.items():
        for suffix in names:
            written.append(f"a{len(written):02d}{suffix}")
            path = tmp_path / written[-1]
            soundfile.write(path, _noise(4000), 16000, format=format)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # labels beside sounds need no mention
        for suffix in (".txt", ".TextGrid", ".csv", ".json"):
            (tmp_path / f"a00{suffix}").touch()
        assert _found(tmp_path) == sorted(written)
    assert len(check_audio_files(find_audio_files(tmp_path))) == len(written)


def test_hidden_files_are_left_out_and_others_are_counted(tmp_path):
    for name in (
        "a.wav",
        "._a.wav",
        ".hidden/b.wav",
        "__MACOSX/a.wav",
        ".ipynb_checkpoints/a-checkpoint.wav",
        "deep/er/c.WAV",
        "m.jpg",
        "n.JPG",
        "LICENSE",
        "._LICENSE",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    what = r"of other kinds .* left out: no suffix \(1\), .jpg \(2\)\."
    with pytest.warns(UserWarning, match=what):
        assert _found(tmp_path) == ["a.wav", "deep/er/c.WAV"]
    assert _found(tmp_path / ".hidden") == ["b.wav"]  # if it is named
    (tmp_path / "deep" / "er" / "c.WAV").rename(tmp_path / "deep" / "c.jpg")
    with pytest.raises(ValueError, match=r"found .jpg \(1\); name another"):
        find_audio_files(tmp_path / "deep")


def test_links_are_followed_once(tmp_path):
    other, folder = tmp_path / "other", tmp_path / "folder"
    (other / "x").mkdir(parents=True)
    (folder / "z").mkdir(parents=True)
    for path in (other / "x" / "a.wav", folder / "z" / "b.wav", tmp_path / "c.wav"):
        path.touch()
    (folder / "linked").symlink_to(other)
    (folder / "again").symlink_to(folder / "z")
    (folder / "circle").symlink_to(folder)
    (folder / "above").symlink_to(tmp_path)
    (folder / "d.wav").symlink_to(tmp_path / "c.wav")
    assert _found(folder) == ["d.wav", "linked/x/a.wav", "z/b.wav"]


def test_a_recording_that_was_not_closed_is_read_with_a_warning(tmp_path):
    # The header of 44 bytes is of a recorder that crashed, or writes to a pipe.
    path = tmp_path / "a.wav"
    samples = np.round(_noise(40000)[:, 0] * 2**15) / 2**15
    for size in (0, 2**32 - 1):
        soundfile.write(path, samples, RATE)
        content = bytearray(path.read_bytes())
        content[4:8] = content[40:44] = struct.pack("<I", size)
        path.write_bytes(content)
        with pytest.warns(AudioWarning, match="a.wav' does not say .* how long it is"):
            waveform, _ = load_audio(path)
        assert np.array_equal(waveform, samples)
        with pytest.warns(AudioWarning):
            assert check_audio_files([path]).tolist() == [2.5]
            assert AudioReader(duration=2.5).fit_transform([path]).shape == (1, 40000)


def test_a_stream_of_flac_has_no_length_in_its_header(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, _noise(40000), RATE)
    expected = load_audio(path)[0]
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert np.array_equal(load_audio(path)[0], expected)
    assert check_audio_files([path]).tolist() == [2.5]
    assert np.array_equal(AudioReader().fit_transform([path])[0], expected[:RATE])


def test_channels_that_cancel_each_other_give_a_warning(write):
    noise = _noise(4000)
    path = write("a.wav", np.hstack([noise, 0.05 * _noise(4000, seed=1) - noise]))
    with pytest.warns(AudioWarning, match="the channels of .*a.wav' are opposite"):
        load_audio(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for channels in (noise * [1, 0], _noise(4000, 8), np.zeros((4000, 2))):
            load_audio(write("b.wav", channels))
