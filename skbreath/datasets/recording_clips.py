"""Cut the labelled phases of recordings into clips for a classifier."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import soxr
from sklearn.utils import Bunch

from ..audio.inputs import as_recordings
from ..phases.phase_table import BEYOND_END_S, check_phases, name_annotations
from ..utils.sklearn_compat import Interval, StrOptions, validate_params

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from ..utils.typing import Column, Recordings

__all__ = ["clips_from_recordings"]


@validate_params(
    {
        "recordings": "no_validation",
        "annotations": "no_validation",
        "groups": ["array-like", None],
        "sample_rate": [Interval(Integral, 100, 1_000_000, closed="both")],
        "duration": [Interval(Real, 0, None, closed="neither")],
        "min_duration": [Interval(Real, 0, None, closed="left")],
        "fill": [StrOptions({"loop", "zeros"})],
    },
    prefer_skip_nested_validation=True,
)
def clips_from_recordings(
    recordings: Recordings,
    annotations: Sequence[pd.DataFrame],
    groups: Column | None = None,
    *,
    sample_rate: int = 16000,
    duration: float = 1.0,
    min_duration: float = 0.2,
    fill: Literal["loop", "zeros"] = "loop",
) -> Bunch:
    """Cut the labelled phases of recordings into clips of one length.

    The result is input for :func:`~skbreath.make_breath_classifier`: one clip per
    phase, and the groups that a split must keep together.

    Parameters
    ----------
    recordings : sequence of paths, or of 1-D waveforms at `sample_rate`
        The recordings.
    annotations : sequence of DataFrame
        One for each: ``start_s``, ``end_s``, ``label``.
    groups : array-like of shape (n_recordings,), default=None
        Group of each recording, such as the patient; None makes each recording a
        group.
    sample_rate : int, default=16000
        Rate of the clips, and of recordings given as waveforms, in Hz.
    duration : float, default=1.0
        Length of a clip in s; longer phases are cut at the end.
    min_duration : float, default=0.2
        Shorter phases are left out.
    fill : {"loop", "zeros"}, default="loop"
        How to fill the clip of a phase shorter than `duration`: by repeating the
        phase, as in the Kaggle competition, or with zeros.

    Returns
    -------
    clips : Bunch
        ``waveforms`` (n_clips, n_samples) float32; ``target`` (n_clips,) of str;
        ``groups`` (n_clips,); ``frame``, a DataFrame with ``recording`` (number),
        ``start_s``, ``end_s`` of each clip; ``sample_rate``.

    Raises
    ------
    ValueError
        If a table is invalid or reaches beyond the end of its recording, numbers of
        recordings, tables and groups differ, or no phase is long enough.
    AudioError
        If a file cannot be read.

    Examples
    --------
    >>> from skbreath import clips_from_recordings, make_breath_recording
    >>> made = make_breath_recording(30, rate=12, random_state=0)
    >>> clips = clips_from_recordings([made.waveform], [made.phases], groups=["p1"])
    >>> clips.waveforms.shape, sorted(set(clips.target.tolist()))
    ((12, 16000), ['E', 'I'])
    """
    recordings = as_recordings(recordings, sample_rate)
    for what, given in (("annotations", annotations), ("groups", groups)):
        if given is not None and len(given) != len(recordings):
            raise ValueError(
                f"{len(recordings)} recordings, but {len(given)} {what}; give one "
                "for each."
            )
    groups = np.arange(len(recordings)) if groups is None else np.asarray(groups)
    n_samples = max(1, round(duration * sample_rate))
    clips, rows = [], []
    for number, (recording, table) in enumerate(
        zip(recordings, annotations, strict=True)
    ):
        rates, blocks = zip(*recording.blocks(), strict=True)
        rate, waveform = rates[0], np.concatenate(blocks)
        length = len(waveform) / rate
        table = check_phases(
            table,
            name_annotations(table, recording),
            duration=length,
            slack=BEYOND_END_S,
        )
        if rate != sample_rate:
            waveform = soxr.resample(waveform, rate, sample_rate)
        for start, end, label in table[["start_s", "end_s", "label"]].itertuples(
            index=False
        ):
            if end - start < min_duration:
                continue
            phase = waveform[round(start * sample_rate) : round(end * sample_rate)]
            clips.append(_fill(phase, n_samples, fill))
            rows.append((number, start, end, label))
    if not clips:
        raise ValueError(
            f"Expected phases of min_duration={min_duration} s or more, found none; "
            "lower min_duration."
        )
    frame = pd.DataFrame(rows, columns=["recording", "start_s", "end_s", "label"])
    return Bunch(
        waveforms=np.stack(clips),
        target=frame["label"].to_numpy(str),
        groups=groups[frame["recording"].to_numpy()],
        frame=frame,
        sample_rate=sample_rate,
    )


def _fill(phase, n_samples, fill):
    """Cut a phase to `n_samples`, or fill it up by repetition or zeros."""
    phase = phase[:n_samples].astype(np.float32)
    if fill == "loop":
        return np.resize(phase, n_samples)
    return np.pad(phase, (0, n_samples - len(phase)))
