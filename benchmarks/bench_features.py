"""Feature extraction against librosa and its peers, on the same clips, one thread.

``python -m benchmarks.bench_features [--clips 200] [--repeats 9] [--save]``

Peers come with ``pip install -c constraints.txt ".[bench]"``; those missing are named.
"""

import os
import subprocess
import sys
import tempfile
from functools import partial

import librosa
import numpy as np

from benchmarks import harness
from skbreath import BreathFeatures

RATE, N_FFT, HOP, N_MELS = 16000, 1024, 256, 64
FRAMES = {"n_fft": N_FFT, "hop_length": HOP}


def clips(n_clips):
    """Real clips of one second where they are, else noise; and what they are."""
    folder = harness.data_folder()
    if folder is None:
        return noise(n_clips, 1.0), "synthetic noise"
    import soundfile

    files = sorted((folder / "kaggle-breath" / "train").glob("*.wav"))[:n_clips]
    X = np.stack([soundfile.read(file, dtype="float32")[0] for file in files])
    return X, "real chest sounds"


def noise(n_clips, seconds):
    """Synthetic clips."""
    rng = np.random.default_rng(0)
    return rng.normal(scale=0.1, size=(n_clips, int(RATE * seconds))).astype("f")


def librosa_mel(y):
    """Mel powers of a clip, or of a batch."""
    return librosa.feature.melspectrogram(y=y, sr=RATE, n_mels=N_MELS, **FRAMES)


def librosa_stack(y):
    """The 112 channels by librosa's own calls, of a clip or of a batch."""
    feature = librosa.feature
    mfcc = feature.mfcc(y=y, sr=RATE, n_mfcc=13, **FRAMES)
    groups = [
        librosa_mel(y),
        feature.rms(y=y, frame_length=N_FFT, hop_length=HOP),
        feature.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP),
        feature.spectral_contrast(y=y, sr=RATE, **FRAMES),
        mfcc,
        feature.delta(mfcc),
        feature.delta(mfcc, order=2),
    ]
    return np.concatenate(groups, axis=-2)


def audioflux_mel(X):
    """One call for the batch; a C library. Without the centring: 59 frames, not 63."""
    import audioflux
    from audioflux.type import SpectralDataType, SpectralFilterBankScaleType

    transform = audioflux.BFT(
        num=N_MELS,
        radix2_exp=10,
        samplate=RATE,
        low_fre=0,
        high_fre=RATE / 2,
        slide_length=HOP,
        scale_type=SpectralFilterBankScaleType.MEL,
        data_type=SpectralDataType.POWER,
    )
    return lambda: transform.bft(X, result_type=1)


def nnaudio_mel(X):
    """One call for the batch; a convolution in torch."""
    import torch
    from nnAudio.features import MelSpectrogram

    torch.set_num_threads(1)
    transform = MelSpectrogram(
        sr=RATE, n_mels=N_MELS, pad_mode="constant", verbose=False, **FRAMES
    )
    batch = torch.from_numpy(X)
    return torch.no_grad()(lambda: transform(batch))


def torchaudio_mel(X):
    """A clip at a time, which is faster than a batch: it stays in the cache."""
    import torch
    from torchaudio.transforms import MelSpectrogram

    torch.set_num_threads(1)
    transform = MelSpectrogram(
        RATE, n_mels=N_MELS, norm="slaney", mel_scale="slaney", **FRAMES
    )
    batch = torch.from_numpy(X)
    return torch.no_grad()(lambda: [transform(y) for y in batch])


def opensmile_own(X):
    """Not mel, but openSMILE's own 25 eGeMAPS descriptors; 8 clips are enough."""
    import opensmile

    extractor = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
    )
    return lambda: [extractor.process_signal(y, RATE) for y in X[:8]]


PEERS = {
    "audioflux, batch": audioflux_mel,
    "nnAudio, batch": nnaudio_mel,
    "torchaudio, loop": torchaudio_mel,
    "opensmile eGeMAPS, loop": opensmile_own,
}


def full_stack(report, X, repeats):
    """All 112 channels, linear as librosa gives them."""
    ours = BreathFeatures(log_scale=False).fit(X)
    double = BreathFeatures(log_scale=False, dtype="float64").fit(X)
    candidates = {
        "librosa loop (reference)": lambda: [librosa_stack(y) for y in X],
        "librosa batched": lambda: librosa_stack(X),
        "skbreath float64": lambda: double.transform(X),
        "skbreath": lambda: ours.transform(X),
    }
    timings = harness.measure(candidates, repeats=repeats, per=len(X))
    table(report, "Full stack, 112 channels", timings, "librosa loop (reference)")
    loop = np.stack([librosa_stack(y) for y in X])
    for name in ("librosa batched", "skbreath"):
        error = np.abs(candidates[name]() - loop)[:, 73:86].max()
        report.line(f"MFCC of {name} off the loop's by up to {error:.2g} dB")


def mel_alone(report, X, repeats):
    """Mel against everybody."""
    ours = BreathFeatures(groups=["mel"], log_scale=False).fit(X)
    candidates = {
        "librosa loop (reference)": lambda: [librosa_mel(y) for y in X],
        "librosa batched": lambda: librosa_mel(X),
    }
    missing = {}
    for name, make in PEERS.items():
        try:
            candidates[name] = make(X)
        except (ImportError, OSError) as error:
            missing[name] = str(error).splitlines()[0]
    candidates["skbreath"] = lambda: ours.transform(X)
    per = {name: 8 if "opensmile" in name else len(X) for name in candidates}
    timings = harness.measure(candidates, repeats=repeats, per=per)
    table(report, "Mel alone, 64 bands", timings, "librosa loop (reference)")
    for name, why in missing.items():
        report.line(f"not measured: {name} ({why})")


def table(report, title, timings, reference):
    """Both clocks, and how many times less CPU than the reference, last."""
    report.table(
        f"{title}: microseconds per clip, median (min..max)",
        ["", "CPU", "wall", "times less CPU"],
        [
            [
                name,
                timing.text("cpu"),
                timing.text("wall"),
                f"{timing.ratio_to(timings[reference]):.2g}",
            ]
            for name, timing in timings.items()
        ],
    )


def growth(report, repeats):
    """CPU per clip over lengths and batches, the same clips in every cell of a row."""
    n_clips, batches, rows = 256, (1, 16, 256), []
    for seconds in (0.5, 1, 2, 5, 15):
        X = noise(n_clips, seconds)
        extractor = BreathFeatures().fit(X)
        calls = {n: partial(in_batches, extractor, X, n) for n in batches}
        timings = harness.measure(calls, repeats=repeats, per=n_clips)
        per_second = np.median(timings[256].cpu) / seconds * 1e6
        cells = [timings[n].text("cpu") for n in batches]
        rows.append([f"{seconds:g} s", *cells, f"{per_second:.0f}"])
    report.table(
        "Growth, 112 channels: CPU microseconds per clip, median (min..max)",
        ["clip", *(f"batch {n}" for n in batches), "a second of sound"],
        rows,
    )


def in_batches(extractor, X, size):
    """One call of transform for each batch."""
    for start in range(0, len(X), size):
        extractor.transform(X[start : start + size])


def parallel(report, repeats):
    """Wall time over workers."""
    X = noise(2000, 1.0)
    workers = [n for n in (1, 2, 4, 8) if n <= (os.cpu_count() or 1)]
    calls = {
        n: partial(BreathFeatures(n_jobs=n, batch_size=64).fit(X[:1]).transform, X)
        for n in workers
    }
    timings = harness.measure(calls, repeats=repeats, per=len(X))
    report.table(
        "Workers, 112 channels, 2000 clips: microseconds per clip, median (min..max)",
        ["n_jobs", "CPU", "wall", "times faster"],
        [
            [n, t.text("cpu"), t.text("wall"), f"{t.ratio_to(timings[1], 'wall'):.2f}"]
            for n, t in timings.items()
        ],
    )


FIRST_USE = """
import time
import numpy as np
start = time.perf_counter()
from skbreath import BreathFeatures
clip = np.zeros((1, 16000), "f")
features = BreathFeatures().fit(clip)
imported = time.perf_counter()
features.transform(clip)
print(imported - start, time.perf_counter() - imported)
"""


def first_use(report):
    """A fresh process, before and after the kernels were compiled on this machine."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        for name in ("first on this machine", "later"):
            output = subprocess.run(
                [sys.executable, "-c", FIRST_USE],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
                encoding="utf-8",
            ).stdout
            imported, transformed = map(float, output.split())
            rows.append([name, f"{imported:.2f}", f"{transformed:.2f}"])
    report.table(
        "A fresh process: seconds, once", ["", "import and fit", "first clip"], rows
    )


def main():
    """Run all of it."""
    options = harness.parser(__doc__.splitlines()[0])
    options.add_argument("--clips", type=int, default=200)
    options = options.parse_args()
    report = harness.Report("bench_features")
    X, kind = clips(options.clips)
    report.line(f"{len(X)} clips of 1 s at 16 kHz ({kind}), {options.repeats} rounds")
    full_stack(report, X, options.repeats)
    mel_alone(report, X, options.repeats)
    growth(report, options.repeats)
    parallel(report, options.repeats)
    first_use(report)
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
