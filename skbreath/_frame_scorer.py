"""From frames and samples to probabilities of pause and labels, block by block."""

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["ActivityScorer", "FrameScorer", "TrainingRows"]


class _Lockstep:
    """Rows of several sources, handed on as far as all of them have come.

    Parameters
    ----------
    n_sources : int
    """

    def __init__(self, n_sources):
        self._waiting = [[] for _ in range(n_sources)]

    def push(self, *parts):
        """Add to each source (None: nothing); get as many rows of each as all have."""
        for waiting, part in zip(self._waiting, parts, strict=True):
            if part is not None and len(part):
                waiting.append(part)
        n = min(sum(map(len, waiting)) for waiting in self._waiting)
        if n == 0:
            return None
        out = []
        for k, waiting in enumerate(self._waiting):
            rows = waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
            out.append(rows[:n])
            self._waiting[k] = [rows[n:]] if len(rows) > n else []
        return out

    def n_waiting(self, source):
        """Rows of a source that wait for the others."""
        return sum(map(len, self._waiting[source]))


class TrainingRows:
    """Rows of a table for the frame classifier, from bands and samples.

    Parameters
    ----------
    context : FrameContext
        New.
    clips : ClipStream or None
        New; its log probabilities are further columns.
    """

    def __init__(self, context, clips=None):
        self._context, self._clips = context, clips
        self._steps = _Lockstep(2)

    def push(self, bands, samples):
        """Take frames and samples; get rows, or None."""
        rows = self._context.push(bands)
        if self._clips is None:
            return rows
        return self._join(self._steps.push(rows, self._clips.push(samples)))

    def finish(self):
        """Get the last rows, or None."""
        rows = self._context.finish()
        if self._clips is None:
            return rows
        parts = [self._steps.push(rows, None)]
        n = self._steps.n_waiting(0)
        parts.append(self._steps.push(None, self._clips.finish(n)))
        parts = [self._join(part) for part in parts if part is not None]
        return np.concatenate(parts) if parts else None

    @staticmethod
    def _join(parts):
        return None if parts is None else np.column_stack(parts).astype(np.float32)


class FrameScorer:
    """Probabilities from a frame classifier.

    Parameters
    ----------
    rows : TrainingRows
        New.
    model : FrameModel
        Fitted.
    """

    def __init__(self, rows, model):
        self._rows, self._model = rows, model
        self._threads = ThreadpoolController()

    def push(self, bands, samples):
        """Take frames and samples; get (probability, familiar) of frames."""
        return self._predict(self._rows.push(bands, samples))

    def finish(self):
        """Get those of the last frames."""
        return self._predict(self._rows.finish())

    def _predict(self, rows):
        if rows is None:
            return np.zeros((0, self._model.n_classes)), np.zeros(0, dtype=bool)
        # Blocks are small: threads would cost more than they gain.
        with self._threads.limit(limits=1):
            return self._model.predict(rows)


class ActivityScorer:
    """Probabilities from the level and a clip classifier, nothing fitted to frames.

    Parameters
    ----------
    activity : ActivityStream
        New.
    clips : ClipStream
        New.
    n_labels : int
    """

    def __init__(self, activity, clips, n_labels):
        self._activity, self._clips, self._n_labels = activity, clips, n_labels
        self._steps = _Lockstep(2)

    def push(self, bands, samples):
        """Take frames and samples; get (probability, familiar) of frames."""
        active = self._activity.push(bands[:, :-1])
        return self._mix(self._steps.push(active, self._clips.push(samples)))

    def finish(self):
        """Get those of the last frames."""
        n = self._steps.n_waiting(0)
        return self._mix(self._steps.push(None, self._clips.finish(n)))

    def _mix(self, parts):
        if parts is None:
            return np.zeros((0, 1 + self._n_labels)), np.zeros(0, dtype=bool)
        active, odds = parts
        labels = np.exp(odds)
        labels *= (active / labels.sum(axis=1))[:, None]
        return np.column_stack([1 - active, labels]), np.ones(len(active), dtype=bool)
