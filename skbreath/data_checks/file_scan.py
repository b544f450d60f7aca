"""Measure the files of a data set, in one pass over the samples of each."""

import hashlib

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from ..audio.decoding import iter_blocks
from ..audio.files import AudioError, open_audio
from ..features.feature_set import SHORTEST_LOOP_S
from ..features.kernels import loop_periods

__all__ = ["scan_files"]

# Longer sounds are not searched for repetitions: they are recordings.
_LONGEST_LOOPED_S = 10.0
# Samples in a row at the extreme of the clip: a sine has two or three, a limiter more.
_FLAT_TOP = 4
_CHUNK = 64


def scan_files(paths, n_jobs=None, advance=None):
    """Measure audio files; get a table with one row per file.

    Columns are ``problem`` (why it cannot be read, or None), ``rate`` in Hz,
    ``channels``, ``encoding``, ``duration_s``, ``peak`` and ``rms`` (of full scale, of
    the mean of the channels), ``offset`` (mean of the samples), ``flat`` (longest run
    of samples at the extreme), ``period_s`` (after which the sound repeats itself; its
    duration if it does not) and ``digest`` of the samples. `advance` is called with the
    number of files read since the last call, unless it is None.
    """
    rows = []
    with Parallel(n_jobs=n_jobs, prefer="threads") as parallel:
        for batch in gen_batches(len(paths), _CHUNK * effective_n_jobs(n_jobs)):
            rows += parallel(delayed(_scan)(path) for path in paths[batch])
            if advance is not None:
                advance(len(paths[batch]))
    return pd.DataFrame(rows, columns=list(_EMPTY))


_EMPTY = {
    "problem": None,
    "rate": np.nan,
    "channels": np.nan,
    "encoding": None,
    "duration_s": np.nan,
    "peak": np.nan,
    "rms": np.nan,
    "offset": np.nan,
    "flat": 0,
    "period_s": np.nan,
    "digest": None,
}


def _scan(path):
    """Measure one file."""
    row = dict(_EMPTY)
    try:
        with open_audio(path) as sound:
            row |= {
                "rate": sound.samplerate,
                "channels": sound.channels,
                "encoding": f"{sound.format} {sound.subtype}",
            }
            row |= _measure(iter_blocks(sound), sound.samplerate)
    except AudioError as error:
        row["problem"] = error.problems[0][1]
    return row


def _measure(blocks, rate):
    """Measure the samples of a file."""
    digest = hashlib.blake2b(str(rate).encode(), digest_size=16)
    n_samples, total, squares, peak, flat = 0, 0.0, 0.0, 0.0, 0
    kept = []
    for block in blocks:
        n_samples += len(block)
        # Adding 0.0 turns -0.0 into 0.0, which is the same sound.
        digest.update(block + np.float32(0))
        values = block.astype(np.float64)
        total += values.sum()
        squares += values @ values
        highest = float(np.abs(block).max(initial=0.0))
        run = _longest_run(np.abs(block) >= highest) if highest else 0
        flat = run if highest > peak else max(flat, run) if highest == peak else flat
        peak = max(peak, highest)
        if n_samples <= _LONGEST_LOOPED_S * rate:
            kept.append(block)
        else:
            kept = []
    period = n_samples
    if kept and peak > 0:
        whole = np.concatenate(kept)
        shortest = min(n_samples, max(1, round(SHORTEST_LOOP_S * rate)))
        period = int(loop_periods(whole[None], shortest)[0])
        if period < n_samples and np.ptp(whole[period:]) == 0:
            period = n_samples  # silence at both ends is not a repetition
    return {
        "duration_s": n_samples / rate,
        "peak": peak,
        "rms": np.sqrt(squares / max(n_samples, 1)),
        "offset": total / max(n_samples, 1),
        "flat": flat,
        "period_s": period / rate,
        "digest": digest.hexdigest(),
    }


def _longest_run(inside):
    """Get the length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, inside, False].astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
