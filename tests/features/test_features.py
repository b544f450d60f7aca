"""BreathFeatures: librosa's values, clip by clip, and nothing but the clip's own."""

import pickle
import tracemalloc

import joblib
import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbreath import AudioReader, BreathFeatures, ChannelScaler, SummaryPooling

GROUPS = BreathFeatures().groups

pytestmark = pytest.mark.filterwarnings(
    "ignore:n_fft=.* is too large:UserWarning",
    "ignore:Empty filters detected:UserWarning",
)


@parametrize_with_checks([BreathFeatures(), BreathFeatures(groups=("rms", "zcr"))])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def librosa_groups(y, sample_rate, *, log_scale=False, n_fft=1024, hop_length=256):
    """Each group of one clip by librosa alone, with the documented fallbacks."""
    frames = {"n_fft": n_fft, "hop_length": hop_length}
    octaves = sum(200 * 2**k < sample_rate / 2 for k in range(6))
    mel = librosa.feature.melspectrogram(y=y, sr=sample_rate, n_mels=64, **frames)
    rms = librosa.feature.rms(y=y, frame_length=n_fft, hop_length=hop_length)
    if log_scale:
        mel, rms = librosa.power_to_db(mel), librosa.power_to_db(rms**2)
    mfcc = librosa.feature.mfcc(y=y, sr=sample_rate, n_mfcc=13, **frames)
    width = min(9, mfcc.shape[1] - (mfcc.shape[1] + 1) % 2)
    return {
        "mel": mel,
        "rms": rms,
        "zcr": librosa.feature.zero_crossing_rate(
            y, frame_length=n_fft, hop_length=hop_length
        ),
        "contrast": librosa.feature.spectral_contrast(
            y=y, sr=sample_rate, n_bands=octaves, **frames
        ),
        "mfcc": mfcc,
        **{
            name: librosa.feature.delta(mfcc, width=width, order=order)
            if width >= 3
            else np.zeros_like(mfcc)
            for name, order in (("delta", 1), ("delta2", 2))
        },
    }


def assert_like_librosa(y, sample_rate, *, dtype="float32", **params):
    params = {"sample_rate": sample_rate, "log_scale": False, **params}
    estimator = BreathFeatures(dtype=dtype, **params).fit(y[None])
    features = estimator.transform(y[None])[0]
    assert np.isfinite(features).all()
    expected = librosa_groups(y, **params)
    row = 0
    for group, values in expected.items():
        actual = features[row : row + len(values)]
        row += len(values)
        if group == "contrast":
            np.testing.assert_allclose(actual, values, rtol=0, atol=1e-3)
            continue
        # librosa rounds the MFCC to single precision before it takes their deltas.
        around = expected["mfcc"] if group in ("delta", "delta2") else values
        spread = np.ptp(around) + 1e-3 * np.abs(around).max()
        np.testing.assert_allclose(
            actual, values, rtol=1e-4, atol=1e-5 * spread, err_msg=group
        )
    assert row == len(features)


def noise(n_samples, scale=0.1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(scale=scale, size=n_samples).astype(np.float32)


SYNTHETIC = {
    "16 kHz": (16000, noise(16000)),
    "4 kHz": (4000, noise(4000)),
    "8 kHz": (8000, noise(8000)),
    "12 kHz": (12000, noise(12000)),
    "44.1 kHz": (44100, noise(44100)),
    "odd length": (16000, noise(15999)),
    "one sample": (16000, noise(1)),
    "one frame": (16000, noise(255)),
    "two frames": (16000, noise(256)),
    "three frames": (16000, noise(700)),
    "eight frames": (16000, noise(2047)),
    "more than one block of lanes": (16000, noise(32 * 256 + 1)),
    "silence": (16000, np.zeros(16000, np.float32)),
    "silence, then noise": (16000, np.append(np.zeros(8000, "f"), noise(8000))),
    "quiet": (16000, noise(16000, scale=1e-5)),
    "full-scale clipping": (16000, np.clip(noise(16000, scale=5), -1, 1)),
    "square wave": (16000, np.sign(np.sin(np.arange(16000) * 0.01)).astype("f")),
    "pure tone": (16000, np.sin(np.arange(16000) * 0.3).astype("f")),
}


@pytest.mark.parametrize("log_scale", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SYNTHETIC)
def test_equals_librosa_on_synthetic_clips(name, dtype, log_scale):
    sample_rate, y = SYNTHETIC[name]
    assert_like_librosa(y, sample_rate, dtype=dtype, log_scale=log_scale)


@pytest.mark.parametrize(
    ("n_fft", "hop_length"), [(512, 160), (2048, 333), (960, 960), (630, 1), (1022, 7)]
)
def test_equals_librosa_for_any_frames(n_fft, hop_length):
    assert_like_librosa(noise(3001), 8000, n_fft=n_fft, hop_length=hop_length)


@pytest.fixture(scope="module")
def real_clips(real_data):
    files = sorted((real_data / "kaggle-breath" / "train").glob("*.wav"))[::49][:60]
    return np.stack([soundfile.read(file, dtype="float32")[0] for file in files])


@pytest.mark.parametrize("n_samples", [16000, 16120, 16230])
def test_a_loud_end_counts_for_no_more_than_its_frames(n_samples):
    # Not for a frame centred beyond the end, which would hold more of it.
    y = np.random.default_rng(0).normal(scale=1e-7, size=n_samples)
    y[-3] = 1.0
    assert_like_librosa(y.astype(np.float32), 16000, log_scale=True)


def test_equals_librosa_on_real_clips(real_clips):
    for y in real_clips:
        assert_like_librosa(y, 16000)
    assert_like_librosa(real_clips[0], 16000, log_scale=True)


def test_equals_librosa_on_a_real_recording(real_data):
    file = real_data / "nose-mic" / "audio_no_delay.wav"
    y, sample_rate = soundfile.read(file, dtype="float32", stop=88200)
    assert sample_rate == 44100
    assert_like_librosa(y, sample_rate, log_scale=True)


def test_real_clips_depend_on_nothing_but_themselves(real_clips):
    estimator = BreathFeatures().fit(real_clips)
    together = estimator.transform(real_clips)
    order = np.random.default_rng(0).permutation(len(real_clips))
    assert np.array_equal(estimator.transform(real_clips[order]), together[order])


def test_default_shape_names_and_type():
    X = np.stack([noise(16000, seed=seed) for seed in range(2)])
    estimator = BreathFeatures().fit(X)
    features = estimator.transform(X)
    assert features.shape == (2, 112, 63)
    assert features.dtype == np.float32
    names = estimator.channel_names_.tolist()
    assert names[62:74] == [
        "mel_62", "mel_63", "rms", "zcr", "contrast_0_200hz", "contrast_200_400hz",
        "contrast_400_800hz", "contrast_800_1600hz", "contrast_1600_3200hz",
        "contrast_3200_6400hz", "contrast_6400_8000hz", "mfcc_0",
    ]  # fmt: skip
    assert (names[86], names[-1]) == ("delta_0", "delta2_12")
    assert len(set(names)) == 112
    assert BreathFeatures(dtype="float64").fit_transform(X).dtype == np.float64


@pytest.mark.parametrize(
    ("sample_rate", "last"),
    [(4000, "1600_2000hz"), (8000, "3200_4000hz"), (12000, "3200_6000hz")],
)
def test_contrast_has_fewer_bands_at_low_rates(sample_rate, last):
    estimator = BreathFeatures(sample_rate=sample_rate, groups=["contrast"])
    estimator.fit(noise(4000)[None])
    assert estimator.channel_names_[-1] == f"contrast_{last}"


@pytest.mark.parametrize("batch_size", [1, 2, 7, 256])
@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_do_not_depend_on_the_batch(batch_size, n_jobs, dtype):
    # Loud, quiet and silent neighbours: a floor shared by the batch would show.
    X = np.stack([noise(5000, scale=s, seed=3) for s in (1e-6, 30, 0, 0.1, 1e4)] * 3)
    estimator = BreathFeatures(dtype=dtype, batch_size=batch_size, n_jobs=n_jobs)
    together = estimator.fit(X).transform(X)
    for clip, features in zip(X, together, strict=True):
        assert np.array_equal(estimator.transform(clip[None])[0], features)


def test_workers_without_shared_memory_give_the_same_bits():
    X = np.stack([noise(2000, seed=seed) for seed in range(9)])
    estimator = BreathFeatures(batch_size=2).fit(X)
    with joblib.parallel_config("multiprocessing", n_jobs=2):
        elsewhere = estimator.transform(X)
    assert np.array_equal(elsewhere, estimator.transform(X))


@settings(deadline=None, max_examples=40)
@given(
    n_samples=st.integers(1, 3000),
    sample_rate=st.sampled_from([2000, 4000, 11025, 16000, 22050.0, 48000]),
    groups=st.lists(st.sampled_from(GROUPS), min_size=1, unique=True),
    hop_length=st.integers(20, 512),
    data=st.data(),
)
def test_any_groups_are_finite_and_named_and_those_of_the_whole_stack(
    n_samples, sample_rate, groups, hop_length, data
):
    X = noise(2 * n_samples, seed=data.draw(st.integers(0, 9))).reshape(2, -1)
    params = {"sample_rate": sample_rate, "n_mels": 20, "hop_length": hop_length}
    some = BreathFeatures(groups=groups, **params).fit(X)
    features = some.transform(X)
    assert features.shape == (2, len(some.channel_names_), 1 + n_samples // hop_length)
    assert np.isfinite(features).all()
    whole = BreathFeatures(**params).fit(X)
    wanted = np.isin(whole.channel_names_, some.channel_names_)
    assert np.array_equal(whole.transform(X)[:, wanted], features)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"hop_length": 1025}, "hop_length must be at most n_fft=1024"),
        ({"n_fft": 1023}, "n_fft must be even, got 1023"),
        ({"fmax": 8001}, "fmax must be at most half the sample rate, 8000 Hz"),
        ({"fmin": 2000, "fmax": 2000}, "fmin must be below fmax=2000 Hz"),
        ({"fmin": 9000}, "fmin must be below fmax=8000 Hz"),
        ({"n_mels": 513}, "n_mels=513 is too many: .* 513 bins are 15.625 Hz apart"),
        ({"n_mels": 64, "fmax": 200}, "n_mels=64 is too many"),
        ({"n_mfcc": 129}, "n_mfcc must be at most 128"),
        ({"groups": ()}, "groups must name one or more"),
        ({"groups": ["mel", "chroma"]}, "groups must name one or more"),
        ({"groups": ["mel", "mel"]}, "each at most once"),
        ({"groups": "mel"}, "groups"),
        ({"n_fft": 64, "hop_length": 32, "n_mels": 4}, "contrast needs"),
        ({"sample_rate": 400, "n_mels": 4}, "contrast needs a sample_rate above 400"),
        ({"sample_rate": 0}, "sample_rate"),
        ({"dtype": "float16"}, "dtype"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_bad_parameters_are_named_with_their_bound(params, message):
    with pytest.raises(ValueError, match=message):
        BreathFeatures(**params).fit(noise(2000)[None])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_bad_samples_are_errors_with_their_rows(value):
    X = np.stack([noise(2000)] * 5)
    estimator = BreathFeatures().fit(X)
    X[[1, 3], [0, 1999]] = value
    for method in (estimator.fit, estimator.transform):
        with pytest.raises(
            ValueError,
            match="NaN, infinite .* 2 of 5 clips: rows 1, 3 of those given to",
        ):
            method(X)


def test_memory_beside_input_and_output_does_not_grow_with_the_clips():
    # Integers, so that a copy in floating point is needed somewhere.
    X = (1000 * noise(640 * 4000)).astype(np.int16).reshape(640, -1)
    estimator = BreathFeatures(batch_size=32).fit(X)
    estimator.transform(X[:1])
    beside = []
    for clips in (X[:64], X):
        tracemalloc.start()
        features = estimator.transform(clips)
        beside.append(tracemalloc.get_traced_memory()[1] - features.nbytes)
        tracemalloc.stop()
    assert beside[1] < 1.5 * beside[0]


def test_integer_samples_are_taken_as_they_are():
    X = (1000 * noise(4000)).astype(np.int16).reshape(2, -1)
    features = BreathFeatures().fit_transform(X)
    assert np.array_equal(features, BreathFeatures().fit_transform(X.astype("f")))


def test_other_lengths_than_in_fit_are_errors():
    with pytest.raises(ValueError, match="X has 1999 features"):
        BreathFeatures().fit(noise(2000)[None]).transform(noise(1999)[None])


def test_clone_and_pickle():
    X = noise(2000)[None]
    estimator = BreathFeatures(groups=["mel"], n_mels=20).fit(X)
    features = estimator.transform(X)
    assert np.array_equal(clone(estimator).fit_transform(X), features)
    loaded = pickle.loads(pickle.dumps(estimator))
    assert np.array_equal(loaded.transform(X), features)


def test_models_stored_without_mel_filters_give_the_same_bits():
    X = noise(2000)[None]
    estimator = BreathFeatures().fit(X)
    state = estimator.__getstate__()
    filters = state.pop("mel_filters_"), state.pop("mfcc_filters_")
    older = BreathFeatures()
    older.__setstate__(state)
    assert np.array_equal(older.transform(X), estimator.transform(X))
    assert np.array_equal(older.mel_filters_, filters[0])
    assert np.array_equal(older.mfcc_filters_, filters[1])


def test_parameters_set_after_fit_wait_for_the_next_fit():
    X = noise(2000)[None]
    estimator = BreathFeatures(n_mels=20).fit(X)
    features = estimator.transform(X)
    estimator.set_params(n_mels=64, groups=["mel"], n_fft=512, dtype="float64")
    assert np.array_equal(estimator.transform(X), features)
    assert estimator.fit_transform(X).shape == (1, 64, 8)


@pytest.mark.parametrize("before", [[], [AudioReader(duration=0.125)]])
def test_names_travel_through_a_pipeline(before):
    X = noise(4000).reshape(2, -1)
    pipeline = make_pipeline(
        *before,
        BreathFeatures(groups=["rms", "zcr"]),
        ChannelScaler(),
        SummaryPooling(n_bins=1),
    )
    pipeline.fit(X)
    assert pipeline.get_feature_names_out().tolist() == [
        "rms_mean", "zcr_mean", "rms_std", "zcr_std", "rms_bin0", "zcr_bin0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("n_samples", "hop_length", "expected"),
    [(16000, 256, 63), (15999, 256, 63), (1, 256, 1), (255, 256, 1), (9, 3, 4)],
)
def test_frames_are_centred_on_every_hop(n_samples, hop_length, expected):
    features = BreathFeatures(groups=["zcr"], hop_length=hop_length)
    assert features.fit_transform(np.zeros((1, n_samples))).shape[2] == expected


def test_channels_keep_the_order_of_the_groups():
    features = BreathFeatures(groups=("mfcc", "rms"), n_mfcc=2).fit(np.zeros((1, 9)))
    assert features.channel_names_.tolist() == ["rms", "mfcc_0", "mfcc_1"]
