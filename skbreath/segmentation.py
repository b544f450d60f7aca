"""Whole recordings to phases."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.ensemble._base import _set_random_states
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from ._frame_context import FrameContext
from ._frame_model import FrameModel, FrameScorer, default_classifier
from ._frame_stream import FrameStream
from ._phase_stream import PhaseStream
from ._phase_table import check_phases, label_frames, phase_table
from ._recordings import as_recordings
from ._smoothing import estimate_phase_model
from .caching import VersionedState

__all__ = ["PhaseSegmenter"]

# Neighbouring frames are nearly the same: every other one is enough to learn from.
_TRAINING_STEP = 2
# Delay of the resampling filter, in s, measured at 44.1 to 16 kHz and rounded up.
_RESAMPLING_S = 0.035


class PhaseSegmenter(VersionedState, BaseEstimator):
    """Find the inhales and exhales of whole recordings.

    Frames of 64 ms, every 16 ms, are judged by a classifier from their mel spectrum
    and from how it differs from what was before and shortly after; a hidden
    semi-Markov decoder, which knows how long phases and pauses last and in which
    order they come, turns that into phases. No value depends on the level of the
    recording.

    The work goes through a recording once, from the beginning to the end, with a
    bounded look-ahead: recordings of any length take the same memory, and
    :meth:`partial` gives the same phases from a microphone while they happen.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz that files are resampled to, and that waveforms have.
    labels : tuple of str, default=("I", "E")
        Labels of the annotations. What lies between phases is pause.
    classifier : classifier, default=None
        Classifier of frames, from a table to probabilities; it is cloned. None
        means histogram gradient boosting of 150 trees of 15 leaves.
    n_mels : int, default=32
        Mel bands, an even number.
    fmin, fmax : float, default=50.0, None
        Band in Hz; None means half of `sample_rate`. A stethoscope has little above
        2000.
    lookahead : float, default=0.2
        How far the judgement of a frame looks ahead, in s, more than 0.1.
    lag : float, default=0.2
        How long the decoder waits until a decision is final, in s. The longer, the
        more it knows and the later it tells.
    emission_weight : float, default=0.2
        Weight of the judgement of frames against durations and sequence.
        Neighbouring frames are alike, so each counts less than one.
    min_duration : float, default=0.1
        No phase is shorter, in s.
    n_jobs : int, default=None
        Recordings read in parallel, by threads.
    random_state : int, RandomState instance or None, default=None
        Seed of the classifier.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        `labels`.
    latency_ : float
        Longest time in s of audio from the end of a phase until it is told, for
        blocks at `sample_rate`; 0.035 more where they are resampled.

    See Also
    --------
    breath_statistics : Rate, timing and pauses of the phases.
    make_breath_classifier : For clips of one phase.

    Notes
    -----
    The estimator takes recordings of different lengths with a table each, which no
    scikit-learn check suite knows; parameters, cloning and pickling are
    scikit-learn's.

    References
    ----------
    .. [1] F.-S. Hsu et al. (2021). Benchmarking of eight recurrent neural network
       variants for breath phase and adventitious sound detection. PLoS ONE 16,
       e0254134.
    .. [2] S.-Z. Yu (2010). Hidden semi-Markov models. Artificial Intelligence 174,
       215-243.

    Examples
    --------
    >>> from skbreath import PhaseSegmenter, make_breath_recording
    >>> made = [make_breath_recording(30, random_state=seed) for seed in range(4)]
    >>> segmenter = PhaseSegmenter(random_state=0)
    >>> _ = segmenter.fit(
    ...     [recording.waveform for recording in made[:3]],
    ...     [recording.phases for recording in made[:3]],
    ... )
    >>> (phases,) = segmenter.predict([made[3].waveform])
    >>> phases.columns.tolist(), abs(len(phases) - len(made[3].phases)) <= 2
    (['start_s', 'end_s', 'label', 'probability'], True)
    """

    _parameter_constraints = {
        "sample_rate": [Interval(Integral, 1000, 1_000_000, closed="both")],
        "labels": [tuple, list],
        "classifier": [HasMethods(["fit", "predict_proba"]), None],
        "n_mels": [Interval(Integral, 2, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "lookahead": [Interval(Real, 0.1, 5, closed="right")],
        "lag": [Interval(Real, 0, 60, closed="both")],
        "emission_weight": [Interval(Real, 0, None, closed="neither")],
        "min_duration": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        sample_rate=16000,
        labels=("I", "E"),
        classifier=None,
        n_mels=32,
        fmin=50.0,
        fmax=None,
        lookahead=0.2,
        lag=0.2,
        emission_weight=0.2,
        min_duration=0.1,
        n_jobs=None,
        random_state=None,
    ):
        self.sample_rate = sample_rate
        self.labels = labels
        self.classifier = classifier
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.lookahead = lookahead
        self.lag = lag
        self.emission_weight = emission_weight
        self.min_duration = min_duration
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, recordings, annotations):
        """Learn from annotated recordings.

        Parameters
        ----------
        recordings : sequence of paths, or of 1-D waveforms at `sample_rate`
            Files of any rate, or waveforms of any lengths.
        annotations : sequence of DataFrame
            One for each recording, with ``start_s``, ``end_s``, ``label``: all
            phases that are there. Times may be such as
            :func:`~skbreath.read_label_track` reads.

        Returns
        -------
        self : PhaseSegmenter

        Raises
        ------
        ValueError
            If a table has reversed or overlapping phases, unknown labels or times
            beyond the end of its recording, or if a label occurs nowhere; the
            message names recording and row.
        AudioError
            If a file cannot be read.
        """
        self._check_parameters()
        recordings = as_recordings(recordings, self.sample_rate)
        if len(annotations) != len(recordings):
            raise ValueError(
                f"{len(recordings)} recordings, but {len(annotations)} annotations; "
                "give one table for each."
            )
        tables = [
            check_phases(table, f"annotations of {recording.name}", labels=self.labels)
            for recording, table in zip(recordings, annotations, strict=True)
        ]
        present = {label for table in tables for label in table["label"]}
        missing = [label for label in self.labels if label not in present]
        if missing:
            raise ValueError(
                f"no annotation has the label {missing[0]!r}; name those that there "
                f"are by labels=, such as labels={sorted(present)}."
            )
        parts = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._training_rows)(recording, table)
            for recording, table in zip(recordings, tables, strict=True)
        )
        rows, classes = (np.concatenate(part) for part in zip(*parts, strict=True))
        classifier = self.classifier
        classifier = default_classifier() if classifier is None else classifier
        model = FrameModel(classifier, 1 + len(self.labels), self.n_mels)
        _set_random_states(model.classifier, check_random_state(self.random_state))
        self.frame_model_ = model.fit(rows, classes)
        self.phase_model_ = estimate_phase_model(
            tables, self.labels, self._hop_s, min_s=self.min_duration
        )
        self._set_fitted()
        return self

    def predict(self, recordings):
        """Find the phases of recordings.

        Parameters
        ----------
        recordings : sequence of paths, or of 1-D waveforms at `sample_rate`
            Of any length; files are never held in memory as a whole.

        Returns
        -------
        phases : list of DataFrame
            One for each recording: ``start_s``, ``end_s``, ``label``,
            ``probability`` (mean over the frames of the phase; frames that sound
            like nothing the segmenter was fitted on count as 0). ``attrs["note"]``
            says what casts doubt on a result, such as silence, clipping or speech;
            it is "" for most.

        Warns
        -----
        UserWarning
            For each recording that is empty, silent, clipped, shorter than 0.5 s,
            or unlike those of the training; the first three kinds have no phases.

        Raises
        ------
        AudioError
            If a file cannot be read.
        """
        check_is_fitted(self)
        recordings = as_recordings(recordings, self.sample_rate, allow_empty=True)
        tables = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(self._predict_one)(recording) for recording in recordings
        )
        for recording, table in zip(recordings, tables, strict=True):
            if table.attrs["note"]:
                warnings.warn(
                    f"{recording.name} {table.attrs['note']}.",
                    UserWarning,
                    stacklevel=2,
                )
        return tables

    def partial(self, sample_rate=None):
        """Begin a recording that arrives in blocks.

        Parameters
        ----------
        sample_rate : int, default=None
            Rate of the blocks in Hz; None means the segmenter's own.

        Returns
        -------
        stream : PhaseStream
            ``stream.push(block)`` gives the phases that are complete,
            ``stream.finish()`` the rest.

        Examples
        --------
        >>> from skbreath import PhaseSegmenter, make_breath_recording
        >>> made = [make_breath_recording(20, random_state=seed) for seed in (0, 1)]
        >>> segmenter = PhaseSegmenter(random_state=0)
        >>> segmenter = segmenter.fit([made[0].waveform], [made[0].phases])
        >>> stream = segmenter.partial()
        >>> phases = [stream.push(block) for block in made[1].waveform.reshape(-1, 800)]
        >>> phases.append(stream.finish())
        >>> stream.latency < 0.5
        True
        """
        check_is_fitted(self)
        rate = self.sample_rate if sample_rate is None else sample_rate
        return PhaseStream(
            self._frame_stream(rate),
            FrameScorer(self._context(), self.frame_model_),
            self.phase_model_,
            labels=tuple(self.labels),
            input_rate=rate,
            hop_s=self._hop_s,
            lag=self._lag_frames,
            emission_weight=self.emission_weight,
            log_prior=self.frame_model_.log_prior,
            latency=self.latency_ + (_RESAMPLING_S if rate != self.sample_rate else 0),
        )

    def _predict_one(self, recording):
        tables = []
        with recording.open() as (rate, blocks):
            stream = self.partial(rate)
            for block in blocks:
                tables.append(stream.push(block))
            tables.append(stream.finish())
        rows = [row for table in tables for row in table.itertuples(index=False)]
        table = phase_table(() if stream.is_unusable else rows)
        table.attrs["note"] = stream.note
        return table

    def _training_rows(self, recording, table):
        frames, context, parts = self._frame_stream, self._context(), []
        with recording.open() as (rate, blocks):
            stream = frames(rate)
            for block in blocks:
                parts.append(context.push(stream.push(block))[0])
            parts += [context.push(stream.finish())[0], context.finish()[0]]
            duration = stream.n_samples / rate
        parts = [part for part in parts if part is not None]
        name = f"annotations of {recording.name}"
        table = check_phases(table, name, duration=duration + self._hop_s)
        if not parts:
            raise ValueError(f"{recording.name} has no samples to learn from.")
        rows = np.concatenate(parts)
        classes = label_frames(table, self.labels, np.arange(len(rows)) * self._hop_s)
        return rows[::_TRAINING_STEP], classes[::_TRAINING_STEP]

    def _check_parameters(self):
        if len(set(self.labels)) < len(self.labels) or not self.labels:
            raise ValueError(f"labels must be distinct names, got {self.labels!r}.")
        if self.n_mels % 2:
            raise ValueError(f"n_mels must be even, got {self.n_mels}.")

    def _set_fitted(self):
        self.classes_ = np.array(list(self.labels), dtype=object)
        ahead = self._context().n_ahead + self._lag_frames + 1
        self.latency_ = ahead * self._hop_s + self._n_fft / 2 / self.sample_rate

    @property
    def _hop(self):
        return max(1, round(0.016 * self.sample_rate))

    @property
    def _n_fft(self):
        return 4 * self._hop

    @property
    def _hop_s(self):
        return self._hop / self.sample_rate

    @property
    def _lag_frames(self):
        return round(self.lag / self._hop_s)

    def _frame_stream(self, rate):
        return FrameStream(
            self.sample_rate,
            rate,
            n_mels=self.n_mels,
            n_fft=self._n_fft,
            hop_length=self._hop,
            fmin=self.fmin,
            fmax=self.fmax,
        )

    def _context(self):
        return FrameContext(self._hop_s, self.lookahead)
