"""Decode frame scores into phases: a hidden semi-Markov model with a fixed lag.

A hidden semi-Markov model has durations of states, not only transitions between them
[1]. States here are one per label and, for each label, the pause after it, which
shares its frame scores with all other pauses but has a duration of its own: the gap
between inhale and exhale is short, the rest after an exhale is not.

The decoder is the Viterbi algorithm over segments, `lag` frames at a time: frame
``t - lag`` gets the state that the best path has there, seen from frame ``t``, and
every path that disagrees is dropped. So decisions are final, the phases are one path
through the model, memory does not grow, and the result cannot depend on the blocks in
which frames arrive. With a lag as long as the recording it is the ordinary Viterbi
path. No maintained library decodes semi-Markov models with a lag.

[1] S.-Z. Yu (2010). Hidden semi-Markov models. Artificial Intelligence 174, 215-243.
"""

from typing import NamedTuple

import numpy as np

__all__ = [
    "LagDecoder",
    "PhaseModel",
    "estimate_phase_model",
    "frame_scores",
    "segment_times",
]

_NEVER = -1e18
# Lower bound of probabilities: no frame is more certain than this.
_LEAST = 1e-4


def frame_scores(probability, log_prior):
    """Turn probabilities of frames into log likelihoods, up to a constant per frame.

    `log_prior`, of the classes in training, is divided out.
    """
    return np.log(np.maximum(probability, _LEAST)) - log_prior


def segment_times(first, stop, hop_s):
    """Return start and end in s of a segment; a frame extends by half a hop."""
    return max(0.0, (first - 0.5) * hop_s), (stop - 0.5) * hop_s


class PhaseModel(NamedTuple):
    """Durations and transitions of phases, in frames and natural logarithms.

    States are label 0, pause after label 0, label 1, pause after label 1, ...
    """

    emission: np.ndarray
    """(n_states,) int: the frame score that each state takes; 0 is that of pauses."""
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
            raise ValueError(f"the durations of phases do not fit together: {wrong}.")


def estimate_phase_model(phases, labels, hop_s, *, max_s=8.0, min_s=0.0):
    """Estimate durations and transitions of phases from annotated recordings.

    Durations are log-normal, with a spread of at least 40 %, since annotations are few;
    nine in ten are taken from that distribution, one in ten from a four times broader
    one, so that unusual breathing is unlikely and not impossible.

    Parameters
    ----------
    phases : list of DataFrame
        Checked tables.
    labels : sequence of str
        All labels.
    hop_s : float
        From one frame to the next, in s.
    max_s : float, default=8.0
        Durations up to this have a probability of their own; longer ones continue at
        the rate of the slowest state, so that an apnoea costs little.
    min_s : float, default=0.0
        Shortest phase in s; pauses may be shorter.
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
    time = (np.arange(n_durations) + 1) * hop_s
    if len(lengths) == 0:
        lengths = [0.2, 2.0]
    log_lengths = np.log(np.maximum(lengths, hop_s))
    # The median is robust against breaths of which the annotator missed one half.
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
    survival = np.cumsum(duration[:, ::-1], axis=1)[:, ::-1]
    mean = survival.sum(axis=1, keepdims=True)
    # Durations beyond the table decay at one rate for all states.
    log_tail = np.full(len(duration), -1.0 / duration.shape[1])
    labels = np.arange(len(duration)) % 2 == 0
    with np.errstate(divide="ignore"):
        logs = [np.log(table) for table in (duration, survival, survival / mean)]
        log_transition = np.log(transition)
    duration, survival, residual = (np.maximum(table, _NEVER) for table in logs)
    # The last duration stands for all that are at least as long.
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


class LagDecoder:
    """Decode frame scores, block by block.

    Parameters
    ----------
    model : PhaseModel
    lag : int
        Frames after which the state of a frame is final.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skbreath.segmentation.decoder import LagDecoder, estimate_phase_model
    >>> rows = [(0, 1, "I"), (1.2, 2.4, "E"), (3, 4, "I"), (4.2, 5.3, "E")]
    >>> table = pd.DataFrame(rows, columns=["start_s", "end_s", "label"])
    >>> model = estimate_phase_model([table], ["I", "E"], hop_s=0.1)
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
        """State and first frame of the segment that the latest final frame is in.

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
