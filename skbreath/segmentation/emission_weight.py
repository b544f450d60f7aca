"""Choose the weight of frame scores against durations by cross-validation."""

import numpy as np

from ..fitting.cross_fitting import check_group_cv
from ..phases.breath_statistics import onset_cycles
from ..phases.phase_metrics import match_events
from ..phases.phase_table import COLUMNS, phase_table
from .decoder import LagDecoder, frame_scores, segment_times

__all__ = ["choose_emission_weight"]

_CANDIDATES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8)
_WITHOUT_CHOICE = 0.4
# Every fourth frame is enough to compare weights of what is learned.
_STEP = 4
# Several overlaps: with a single one, the choice would depend on one or two phases.
_OVERLAPS = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
# A cycle this close counts as right. The rate is scored too, since a mean over phases
# gives little weight to slow breathing, which suffers most from a large weight.
_CYCLE_TOLERANCE = 0.02


def choose_emission_weight(fit_models, rows, tables, layout, groups=None):
    """Choose the weight that works best on held-out recordings, in two folds.

    Best is the mean F1 of events over labels and overlaps, plus the share of recordings
    with the right breathing rate. 0.4 if there are fewer than two groups, or a fold
    lacks a label.

    Parameters
    ----------
    fit_models : callable
        From indices of recordings and the step between the frames to use to a fitted
        ``(FrameModel, PhaseModel)``.
    rows : list of ndarray of shape (n_frames, n_columns)
        Of all frames of each recording.
    tables : list of DataFrame
        Checked.
    layout : FrameLayout
    groups : array-like of shape (n_recordings,), default=None
        Recordings of a group stay in one fold.
    """
    groups = np.arange(len(rows)) if groups is None else np.asarray(groups)
    if len(groups) != len(rows):
        raise ValueError(f"{len(rows)} recordings, but {len(groups)} groups.")
    if len(np.unique(groups)) < 2:
        return _WITHOUT_CHOICE
    found = {weight: [None] * len(rows) for weight in _CANDIDATES}
    folds = check_group_cv(2, groups=groups, classifier=False)
    for train, test in folds.split(rows, groups=groups):
        if _labels(tables, train) < set(layout.labels):
            return _WITHOUT_CHOICE
        frame_model, phase_model = fit_models(train, _STEP)
        for i in test:
            probability, _ = frame_model.predict(rows[i])
            scores = frame_scores(probability, frame_model.log_prior)
            for weight, phases in found.items():
                phases[i] = _decode(weight * scores, phase_model, layout)
    return max(
        _CANDIDATES, key=lambda weight: _score(tables, found[weight], layout.labels)
    )


def _decode(scores, phase_model, layout):
    decoder = LagDecoder(phase_model, layout.lag_frames)
    segments = decoder.push(scores) + decoder.finish()
    return phase_table(
        [
            (*segment_times(first, stop, layout.hop_s), layout.labels[state // 2])
            for state, first, stop in segments
            if state % 2 == 0
        ],
        COLUMNS,
    )


def _labels(tables, rows):
    return {label for i in rows for label in tables[i]["label"]}


def _score(truth, predicted, labels):
    pairs = list(zip(truth, predicted, strict=True))
    f1 = []
    for label in labels:
        # Overlaps above one half leave no choice of partners.
        matches = [match_events(*pair, label, _OVERLAPS[0]) for pair in pairs]
        iou = np.concatenate([match[0][:, 0] for match in matches])
        total = sum(n_true + n_found for _, n_true, n_found in matches)
        f1 += [2 * np.sum(iou >= overlap) / total for overlap in _OVERLAPS]
    return np.mean(f1) + np.mean([_is_rate_right(*pair, labels) for pair in pairs])


def _is_rate_right(truth, predicted, labels):
    cycles = [onset_cycles(table, labels) for table in (truth, predicted)]
    if len(cycles[0]) == 0:  # there is no true rate
        return True
    if len(cycles[1]) == 0:
        return False
    true, found = map(np.median, cycles)
    return abs(found - true) <= _CYCLE_TOLERANCE * true
