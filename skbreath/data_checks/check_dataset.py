"""Check a data set for common problems."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from sklearn.utils import Bunch

from ..utils.sklearn_compat import validate_params
from .file_findings import FILE_CHECKS, unreadable_files
from .file_scan import scan_files
from .label_findings import LABEL_CHECKS, TRACK_CHECKS
from .layout import find_clips

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..utils.typing import FilePath

__all__ = ["LEVELS", "check_dataset"]

LEVELS = ("error", "warning", "note")
"""Levels of findings: scores are wrong or work fails; they may be; information."""


@validate_params(
    {
        "data": [str, os.PathLike],
        "group": [str, None],
        "labels": [Mapping, None],
        "n_jobs": [int, None],
        "advance": "no_validation",
    },
    prefer_skip_nested_validation=True,
)
# A file name need not be UTF-8, as text of pyarrow must be.
@pd.option_context("mode.string_storage", "python")
def check_dataset(
    data: FilePath,
    *,
    group: str | None = None,
    labels: Mapping[str, str | None] | None = None,
    n_jobs: int | None = None,
    advance: Callable[[int], Any] | None = None,
) -> Bunch:
    """Check a data set for common problems before training on it.

    Every file is decoded once, about 0.5 ms for a clip of a second; samples are not
    kept.

    Parameters
    ----------
    data : str or os.PathLike
        - a folder with ``train.csv`` and ``train/``, and ``test.csv`` and ``test/`` if
          they exist, as :func:`~skbreath.load_kaggle_breath` reads them;
        - a CSV file with the columns ``path`` and ``label``, as
          :func:`~skbreath.load_labelled_folder` reads it;
        - a folder with one folder of clips for each label;
        - a folder of recordings with label tracks of the same names beside them;
        - a folder of audio files without labels.
    group : str, default=None
        Column of a CSV file with what belongs together, such as the patient.
    labels : dict of str to str or None, default=None
        New labels of label tracks, as for :func:`~skbreath.read_label_track`; rows of
        labels with None are left out.
    n_jobs : int, default=None
        Threads that read files, as in joblib.
    advance : callable, default=None
        Called with the number of files read since the last call.

    Returns
    -------
    result : Bunch
        - ``findings`` : DataFrame, worst first, with ``level`` ("error", "warning" or
          "note"), ``check`` ("files", "format", "length", "level", "loops",
          "copies", "groups", "labels", "balance", "names", "order"), ``finding`` and
          ``advice``, what to do.
        - ``clips`` : DataFrame of measurements, one row per file: ``path``,
          ``label``, ``subset``, ``recording``, ``day``, ``group``, ``problem``,
          ``rate``, ``channels``, ``encoding``, ``duration_s``, ``peak``, ``rms``,
          ``offset``, ``flat``, ``period_s``, ``digest``.
        - ``layout`` : str, as above: "kaggle", "table", "label folders", "label
          tracks" or "plain".
        - ``counts`` : dict, number of findings by level.

    Raises
    ------
    ValueError, OSError
        If the data set does not exist or holds no audio.

    See Also
    --------
    check_leakage : The same for a model.

    Notes
    -----
    Boosted trees predict the labels from the names, the order, the format or the
    level alone: 5-fold cross-validated, no fold sharing a recording. It is a finding
    if the AUC exceeds what chance explains once in a thousand times; above 0.6 it is
    a warning. For the labels of neighbours one clip is left out at a time.

    Examples
    --------
    >>> import tempfile
    >>> from skbreath import check_dataset, make_breath_sounds, write_breath_sounds
    >>> sounds = make_breath_sounds(60, n_subjects=6, random_state=0)
    >>> folder = write_breath_sounds(sounds, tempfile.mkdtemp() + "/breath")
    >>> result = check_dataset(folder)
    >>> result.layout, result.counts["error"]
    ('kaggle', 0)
    >>> result.findings.columns.tolist()
    ['level', 'check', 'finding', 'advice']
    """
    found = find_clips(Path(data), group, labels)
    if labels and found.layout != "label tracks":
        raise ValueError(
            f"labels is for recordings with label tracks, got {found.layout}: {data}."
        )
    measured = scan_files(found.clips["path"].tolist(), n_jobs, advance)
    found.clips = pd.concat([found.clips, measured], axis=1)
    collected = [*found.findings, *unreadable_files(found)]
    if len(found.good):
        more = TRACK_CHECKS if found.layout == "label tracks" else LABEL_CHECKS
        for check in (*FILE_CHECKS, *more):
            collected += check(found)
    rows = sorted(
        (one.row() for one in collected), key=lambda row: LEVELS.index(row[0])
    )
    findings = pd.DataFrame(rows, columns=["level", "check", "finding", "advice"])
    return Bunch(
        findings=findings,
        clips=found.clips.drop(columns="row"),
        layout=found.layout,
        counts={name: int((findings["level"] == name).sum()) for name in LEVELS},
    )
