"""Decode frame scores into phases: a hidden semi-Markov model with a fixed lag.

A hidden semi-Markov model has durations of states, not only transitions between them
[1]. There is one state per label and, for each label, one for the pause after it. All
pauses share their frame scores, but not their durations: the gap between inhale and
exhale is short, the rest after an exhale is not.

The decoder is the Viterbi algorithm over segments with a lag: at frame ``t``, frame
``t - lag`` gets its state on the best path so far, and every path that disagrees is
dropped. So decisions are final, memory does not grow, and the result does not depend on
the blocks in which frames arrive. With a lag as long as the recording it is the
ordinary Viterbi path. No maintained library decodes semi-Markov models with a lag.

[1] S.-Z. Yu (2010). Hidden semi-Markov models. Artificial Intelligence 174, 215-243.
"""

from typing import NamedTuple

import numpy as np

from ..fitting.cross_fitting import check_group_cv
from ..phases.breath_statistics import onset_cycles
from ..phases.phase_metrics import match_events
from ..phases.phase_table import COLUMNS, phase_table

__all__ = [
    "LagDecoder",
    "PhaseModel",
    "choose_emission_weight",
    "estimate_phase_model",
    "log_likelihoods",
    "segment_times",
    "textbook_phases",
]

_NEVER = -1e18
# Probabilities of frames are limited to this, since no frame is certain.
_LEAST = 1e-4

_CANDIDATES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8)
_WITHOUT_CHOICE = 0.4
# Every fourth frame is enough to compare weights.
_STEP = 4
# With a single overlap, the choice could depend on one or two phases.
_OVERLAPS = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
# A cycle length this close is correct. The rate is scored too, since a mean over phases
# gives little weight to slow breathing, for which a large weight is worst.
_CYCLE_TOLERANCE = 0.02


def log_likelihoods(probability, log_prior):
    """Turn probabilities of frames into log likelihoods, up to a constant per frame.

    This divides by the prior of the classes in training.
    """
    return np.log(np.maximum(probability, _LEAST)) - log_prior


def segment_times(first, stop, hop_s):
    """Compute start and end of a segment in s; frames extend half a hop either way."""
    return max(0.0, (first - 0.5) * hop_s), (stop - 0.5) * hop_s


class PhaseModel(NamedTuple):
    """Hold durations and transitions of phases, in frames and natural logarithms.

    States are label 0, pause after label 0, label 1, pause after label 1, ...
    """

    emission: np.ndarray
    """(n_states,) int: column of the frame scores of each state; 0 is the pause."""
    log_duration: np.ndarray
    """(n_states, n_durations): of lasting 1, 2, ... frames."""
    log_survival: np.ndarray
    """(n_states, n_durations): of lasting at least 1, 2, ... frames."""
    log_residual: np.ndarray
    """(n_states, n_durations): of lasting 1, 2, ... frames from a random moment on,
    as the first segment of a recording does."""
    log_tail: np.ndarray
    """(n_states,): of each frame more than `n_durations`."""
    log_transition: np.ndarray
    """(n_states, n_states): from the row to the column."""
    log_start: np.ndarray
    """(n_states,): of the first frame."""

    def check(self):
        """Check that the arrays fit together, before compiled code uses them."""
        n_states, n_durations = np.shape(self.log_duration)
        table, square = (n_states, n_durations), (n_states, n_states)
        shapes = {
            "emission": (n_states,),
            "log_survival": table,
            "log_residual": table,
            "log_tail": (n_states,),
            "log_transition": square,
            "log_start": (n_states,),
        }
        wrong = [name for name, s in shapes.items() if getattr(self, name).shape != s]
        scores = np.asarray(self.emission)
        if wrong or not n_durations or scores.min() < 0 or scores.max() > n_states // 2:
            raise ValueError(
                "the arrays of a phase model must agree in numbers of states and "
                f"durations, but {wrong or ['emission']} do not; fit the segmenter "
                "again."
            )


def estimate_phase_model(phases, labels, hop_s, *, max_s=8.0, min_s=0.0):
    """Estimate durations and transitions of phases from annotated recordings.

    Durations are log-normal, with a spread of at least 40 %, since annotations are few.
    One in ten is taken from a four times broader distribution, so that unusual breaths
    are unlikely but possible. Durations longer than `max_s` share one rate of decay, so
    that an apnoea costs little. Phases, but not pauses, last at least `min_s`.
    """
    labels = list(labels)
    n_states = 2 * len(labels)
    lengths = [[] for _ in range(n_states)]
    counts = np.zeros((n_states, n_states))
    for table in phases:
        previous = None
        for start, end, label in table[["start_s", "end_s", "label"]].itertuples(
            index=False
        ):
            state = 2 * labels.index(label)
            if previous is not None:
                before, before_end = previous
                if round((start - before_end) / hop_s) >= 1:
                    lengths[before + 1].append(start - before_end)
                    counts[before, before + 1] += 1
                    counts[before + 1, state] += 1
                else:
                    counts[before, state] += 1
            lengths[state].append(end - start)
            previous = state, end
    n_durations = max(2, round(max_s / hop_s))
    duration = np.zeros((n_states, n_durations))
    pooled = [np.concatenate(lengths[kind::2]) for kind in (0, 1)]
    for state in range(n_states):
        own = lengths[state] if len(lengths[state]) >= 5 else pooled[state % 2]
        least = min_s if state % 2 == 0 else 0.0
        duration[state] = _durations(own, n_durations, hop_s, least)
    return _phase_model(duration, _transitions(counts))


def _durations(lengths, n_durations, hop_s, least):
    """Estimate the probability of lasting 1, 2, ... frames from lengths in s."""
    time = (np.arange(n_durations) + 1) * hop_s
    if len(lengths) == 0:
        lengths = [0.2, 2.0]
    log_lengths = np.log(np.maximum(lengths, hop_s))
    # The median is robust against breaths of which one half was not annotated.
    centre = np.median(log_lengths)
    spread = max(0.4, np.std(log_lengths))
    density = 0.0
    for share, width in ((0.9, spread), (0.1, 4 * spread)):
        z = (np.log(time) - centre) / width
        part = np.exp(-(z**2) / 2) / time
        density = density + share * part / part.sum()
    density[time < least - hop_s / 2] = 0
    return density / density.sum()


def _transitions(counts):
    """Turn counts into probabilities: a pause or another label may follow a label."""
    n_states = len(counts)
    allowed = np.zeros_like(counts)
    allowed[:, ::2] = 1
    for state in range(0, n_states, 2):
        allowed[state, state] = 0
        allowed[state, state + 1] = 1
    counts = (counts + 0.5) * allowed
    return counts / counts.sum(axis=1, keepdims=True)


def _phase_model(duration, transition):
    """Make the PhaseModel from probabilities of durations and transitions."""
    survival = np.cumsum(duration[:, ::-1], axis=1)[:, ::-1]
    mean = survival.sum(axis=1, keepdims=True)
    log_tail = np.full(len(duration), -1.0 / duration.shape[1])
    labels = np.arange(len(duration)) % 2 == 0
    with np.errstate(divide="ignore"):
        logs = [np.log(table) for table in (duration, survival, survival / mean)]
        log_transition = np.log(transition)
    duration, survival, residual = (np.maximum(table, _NEVER) for table in logs)
    # The last entry holds all durations that are at least as long.
    survival[:, -1] = duration[:, -1]
    return PhaseModel(
        emission=np.where(labels, 1 + np.arange(len(duration)) // 2, 0),
        log_duration=duration,
        log_survival=survival,
        log_residual=residual,
        log_tail=log_tail,
        log_transition=np.maximum(log_transition, _NEVER),
        log_start=np.full(len(duration), -np.log(len(duration))),
    )


def textbook_phases(labels, random_state=0):
    """Make tables of phases of typical breathing, to use without annotations.

    There are 10 to 28 breaths a minute, with pauses of varying length after inhales and
    exhales. Labels follow each other in the given order.
    """
    rng = np.random.default_rng(random_state)
    tables = []
    for _ in range(12):
        time, rows = 0.0, []
        cycle = 60 / rng.uniform(10, 28)
        turn, rest = rng.uniform(0.02, 0.12), rng.uniform(0.02, 0.25)
        shares = rng.dirichlet(np.full(len(labels), 12.0)) * (1 - turn - rest)
        for _ in range(12):
            for number, (label, share) in enumerate(zip(labels, shares, strict=True)):
                end = time + cycle * share * rng.uniform(0.8, 1.25)
                rows.append((time, end, label))
                last = number == len(labels) - 1
                gap = cycle * (rest if last else turn) * rng.uniform(0.7, 1.4)
                time = end + gap
        tables.append(phase_table(rows, COLUMNS))
    return tables


class LagDecoder:
    """Decode frame scores, block by block.

    `lag` is the number of frames after which the state of a frame is final.

    >>> model = estimate_phase_model(textbook_phases(["I", "E"]), ["I", "E"], hop_s=0.1)
    >>> scores = np.full((30, 3), -3.0)
    >>> scores[:10, 1] = scores[10:12, 0] = scores[12:24, 2] = scores[24:, 0] = 0
    >>> decoder = LagDecoder(model, lag=4)
    >>> decoder.push(scores) + decoder.finish()
    [(0, 0, 10), (1, 10, 12), (2, 12, 24), (3, 24, 30)]
    """

    def __init__(self, model, lag):
        from .kernels import new_state

        self._model = model
        self._state = new_state(model, lag)

    @property
    def current(self):
        """State and first frame of the segment that holds the latest final frame.

        None before the first frame is final.
        """
        state, start = int(self._state.committed[0]), int(self._state.committed[1])
        return None if state < 0 else (state, start)

    def push(self, scores):
        """Take frames; get the segments that have ended and are final.

        `scores` (n_frames, 1 + n_labels) are log likelihoods of a pause and each label,
        up to a constant per frame; segments are (state, first frame, last frame + 1).
        """
        from .kernels import push

        scores = np.ascontiguousarray(scores, dtype=np.float64)
        out = np.empty((len(scores) + 1, 3), dtype=np.int64)
        n = push(scores, self._model, self._state, out)
        return [tuple(row) for row in out[:n].tolist()]

    def finish(self):
        """Get the remaining segments at the end of the recording."""
        from .kernels import finish

        out = np.empty((self._state.capacity[0] + 2, 3), dtype=np.int64)
        n = finish(self._model, self._state, out)
        return [tuple(row) for row in out[:n][::-1].tolist()]


def choose_emission_weight(fit_models, rows, tables, layout, groups=None):
    """Choose the weight of frame scores against durations by two-fold cross-validation.

    Returns the weight, and the phases that it finds in each recording while that is
    held out. The score is the mean F1 of events over labels and overlaps, plus the
    share of recordings with the right breathing rate. 0.4 and None if there are fewer
    than two groups, or a fold lacks a label. ``fit_models(recordings, step)`` fits a
    FrameModel and a PhaseModel on every `step`-th frame of the recordings with these
    indices.
    """
    groups = np.arange(len(rows)) if groups is None else np.asarray(groups)
    if len(groups) != len(rows):
        raise ValueError(
            f"groups must have a value for each of the {len(rows)} recordings, got "
            f"{len(groups)}; give one group per recording."
        )
    if len(np.unique(groups)) < 2:
        return _WITHOUT_CHOICE, None
    found = {weight: [None] * len(rows) for weight in _CANDIDATES}
    folds = check_group_cv(2, groups=groups, classifier=False)
    for train, test in folds.split(rows, groups=groups):
        if {label for i in train for label in tables[i]["label"]} < set(layout.labels):
            return _WITHOUT_CHOICE, None
        frame_model, phase_model = fit_models(train, _STEP)
        for i in test:
            probability, _ = frame_model.predict(rows[i])
            scores = log_likelihoods(probability, frame_model.log_prior)
            for weight, phases in found.items():
                phases[i] = _decode(weight * scores, phase_model, layout)
    best = max(
        _CANDIDATES, key=lambda weight: _score(tables, found[weight], layout.labels)
    )
    return best, found[best]


def _decode(scores, phase_model, layout):
    """Decode the frame scores of a whole recording into a table of phases."""
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


def _score(truth, predicted, labels):
    """Score predicted phases of recordings by F1 and rate, 0 to 2."""
    pairs = list(zip(truth, predicted, strict=True))
    f1 = []
    for label in labels:
        # With overlaps above one half, a phase matches at most one other.
        matches = [match_events(*pair, label, _OVERLAPS[0]) for pair in pairs]
        iou = np.concatenate([match[0][:, 0] for match in matches])
        total = sum(n_true + n_found for _, n_true, n_found in matches)
        f1 += [2 * np.sum(iou >= overlap) / total for overlap in _OVERLAPS]
    return np.mean(f1) + np.mean([_is_rate_right(*pair, labels) for pair in pairs])


def _is_rate_right(truth, predicted, labels):
    """Check whether the median cycle of predicted phases is close to the true one."""
    cycles = [onset_cycles(table, labels) for table in (truth, predicted)]
    if len(cycles[0]) == 0:  # there is no true rate
        return True
    if len(cycles[1]) == 0:
        return False
    true, found = map(np.median, cycles)
    return abs(found - true) <= _CYCLE_TOLERANCE * true
