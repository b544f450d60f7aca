"""Find the phases of whole recordings."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from ..audio.files import RATES
from ..audio.inputs import as_recordings
from ..phases.phase_metrics import event_scores
from ..phases.phase_table import (
    BEYOND_END_S,
    check_phases,
    label_frames,
    name_annotations,
    phase_table,
)
from ..utils.estimator_state import VersionedState
from ..utils.sklearn_compat import (
    HasMethods,
    Interval,
    StrOptions,
    _fit_context,
    _set_random_states,
)
from .decoder import (
    PhaseModel,
    choose_emission_weight,
    estimate_phase_model,
    textbook_phases,
)
from .frame_layout import FrameLayout
from .frame_network import FrameNetwork
from .frame_scores import (
    TRAINING_STEP,
    FrameModel,
    FrameScorer,
    default_classifier,
)
from .frames import FrameStream
from .phase_stream import PhaseStream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, Self

    import pandas as pd

    from ..utils.typing import Column, Recordings, Seed

__all__ = ["PhaseSegmenter"]

# Weight for a clip classifier alone, chosen on simulated recordings.
_CLIP_WEIGHT = 0.4


class PhaseSegmenter(VersionedState, BaseEstimator):
    """Find the inhales and exhales of whole recordings.

    A classifier scores frames of 64 ms, every 16 ms, from their mel spectrum and its
    difference to the spectra before and shortly after. A hidden semi-Markov decoder,
    a model of the durations and the order of phases and pauses, turns the scores into
    phases. No value depends on the level of the recording.

    A recording is processed once, from the beginning to the end, with a bounded
    look-ahead: recordings of any length take the same memory, and :meth:`partial` gives
    the same phases from a microphone while they happen.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz that files are resampled to, and that waveforms have.
    labels : tuple of str, default=("I", "E")
        Labels of the annotations. What lies between phases is pause.
    classifier : classifier, default=None
        Classifier of frames, from a table to probabilities; it is cloned. None
        means histogram gradient boosting of 150 trees of 15 leaves. A
        :class:`FrameNetwork` uses the frames before and after each frame, too: better
        with recordings of many people, and with a longer ``latency_``.
    n_mels : int, default=32
        Mel bands, an even number.
    fmin, fmax : float, default=50.0, None
        Band in Hz; None means half of `sample_rate`. A stethoscope has little above
        2000.
    lookahead : float, default=0.3
        How far the features of a frame look ahead, in s, more than 0.1.
    lag : float, default=0.1
        How long the decoder waits until a decision is final, in s. A longer lag is
        more accurate, but delays the phases: 0.1 suits a microphone. For recordings,
        1 keeps long phases of slow or noisy breathing whole, which 0.1 may split.
    emission_weight : float or "auto", default="auto"
        Weight of the frame scores against durations and sequence. Neighbouring
        frames are alike, so each counts less than one: 0.1 to 0.8.
        "auto" takes what works best on held-out recordings in a two-fold
        cross-validation inside ``fit``, which doubles its time: F1 of phases at
        overlaps of 50 to 90 %, and the share of recordings with the right rate. 0.4
        where there is only one recording or group.
    min_duration : float, default=0.1
        Shortest phase in s.
    clip_classifier : classifier, default=None
        Fitted classifier of clips of one phase, whose probabilities for the second
        around a frame are further features; see :meth:`from_classifier`, which also
        uses it without ``fit``. It makes ``latency_`` longer by most of half a clip.
    clip_duration : float, default=1.0
        Length of its clips in s.
    base : PhaseSegmenter, default=None
        Fitted segmenter of other recordings, whose probabilities of frames are further
        features, such as ``FrozenEstimator(load_pretrained("nose"))`` of scikit-learn:
        better with few recordings of one's own. Labels, rate and bands must be the
        same, and `latency_` is longer by that of the base: seconds for those of the
        package.
    n_jobs : int, default=None
        Recordings read in parallel, by threads.
    random_state : int, RandomState instance or None, default=None
        Seed of the classifier.

    Attributes
    ----------
    classes_ : ndarray of shape (n_labels,)
        `labels`.
    emission_weight_ : float
        As given or chosen.
    held_out_f1_ : ndarray of shape (n_labels,) or None
        F1 of the phases of each label, at an overlap of one half, in recordings that
        were held out, by the two folds that chose the weight; None if it was given.
    held_out_f1_by_recording_ : ndarray of shape (n_recordings,) or None
        The same for each recording, mean over the labels.
    frame_model_ : object or None
        Classifier of frames; None if there is only a classifier of clips.
    phase_model_ : object
        Durations and order of phases and pauses.
    features_ : BreathFeatures
        Extractor of the bands of frames.
    layout_ : object
        Where frames lie, from the parameters at the time of fitting.
    latency_ : float
        Longest time in s of audio from the end of a phase until it is reported,
        for blocks at `sample_rate`; 0.035 more where they are resampled.

    See Also
    --------
    breath_statistics : Rate, timing and pauses of the phases.
    make_breath_classifier : For clips of one phase.

    Notes
    -----
    The estimator takes recordings of different lengths with a table each, which
    scikit-learn's checks do not support; parameters, cloning and pickling are
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
        "emission_weight": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
        ],
        "min_duration": [Interval(Real, 0, None, closed="left")],
        "clip_classifier": [HasMethods(["predict_proba"]), None],
        "clip_duration": [Interval(Real, 0.05, 60, closed="both")],
        "base": [HasMethods(["partial"]), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        labels: Sequence[str] = ("I", "E"),
        classifier: Any = None,
        n_mels: int = 32,
        fmin: float = 50.0,
        fmax: float | None = None,
        lookahead: float = 0.3,
        lag: float = 0.1,
        emission_weight: float | Literal["auto"] = "auto",
        min_duration: float = 0.1,
        clip_classifier: Any = None,
        clip_duration: float = 1.0,
        base: Any = None,
        n_jobs: int | None = None,
        random_state: Seed | None = None,
    ) -> None:
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
        self.clip_classifier = clip_classifier
        self.clip_duration = clip_duration
        self.base = base
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        recordings: Recordings,
        annotations: Sequence[pd.DataFrame],
        groups: Column | None = None,
    ) -> Self:
        """Learn from annotated recordings.

        Parameters
        ----------
        recordings : sequence of paths, or of 1-D waveforms at `sample_rate`
            Files of any rate, or waveforms of any lengths.
        annotations : sequence of DataFrame
            One for each recording, with ``start_s``, ``end_s``, ``label``: all
            phases that are there. Times may be such as
            :func:`~skbreath.read_label_track` reads.
        groups : array-like of shape (n_recordings,), default=None
            Recordings of a group, such as a patient, are held out together when
            `emission_weight` is chosen. None makes each recording a group.

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
        layout = self._make_layout()
        features = layout.features()
        recordings = as_recordings(recordings, self.sample_rate)
        if len(annotations) != len(recordings):
            raise ValueError(
                "annotations must hold one table for each recording, got "
                f"{len(annotations)} for {len(recordings)}."
            )
        tables = [
            check_phases(table, name_annotations(table, recording), labels=self.labels)
            for recording, table in zip(recordings, annotations, strict=True)
        ]
        present = {label for table in tables for label in table["label"]}
        missing = [label for label in self.labels if label not in present]
        if missing:
            raise ValueError(
                f"annotations must contain all labels, got none of {missing[0]!r}; set "
                f"labels= to those in the annotations, such as {sorted(present)}."
            )
        parts = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_training_rows)(layout, features, recording, table)
            for recording, table in zip(recordings, tables, strict=True)
        )
        rows, classes = zip(*parts, strict=True)

        def fit_models(chosen, step=TRAINING_STEP):
            if isinstance(self.classifier, FrameNetwork):
                step = TRAINING_STEP  # the time between its frames is fixed
            frame_model = self._fit_frames(
                [rows[i][::step] for i in chosen],
                [classes[i][::step] for i in chosen],
            )
            phase_model = estimate_phase_model(
                [tables[i] for i in chosen],
                self.labels,
                layout.hop_s,
                min_s=self.min_duration,
            )
            return frame_model, phase_model

        self.emission_weight_, found = self.emission_weight, None
        if self.emission_weight == "auto":
            self.emission_weight_, found = choose_emission_weight(
                fit_models, rows, tables, layout, groups
            )
        self.held_out_f1_ = self.held_out_f1_by_recording_ = None
        if found is not None:
            scores = event_scores(tables, found)["f1"]
            self.held_out_f1_ = scores.reindex(self.labels).to_numpy()
            each = zip(tables, found, strict=True)
            each = [event_scores(*pair)["f1"].mean() for pair in each]
            self.held_out_f1_by_recording_ = np.array(each, dtype=float)
        self.frame_model_, self.phase_model_ = fit_models(range(len(rows)))
        self._set_fitted(layout)
        return self

    @classmethod
    def from_classifier(cls, classifier: Any, **params: Any) -> Self:
        """Build a segmenter from a trained classifier of clips alone.

        The classifier is slid over the recording, a window of `clip_duration` every
        0.13 s, to distinguish inhale from exhale. Pauses are distinguished by the
        level, compared with the quietest of the last seconds. Durations and order are
        those of a textbook. Annotated recordings are not needed; ``fit`` on some
        replaces all this by a model of frames, with the probabilities of the clip
        classifier as further features.

        Parameters
        ----------
        classifier : classifier
            Fitted, from waveforms (n_clips, n_samples) at `sample_rate` to
            probabilities, such as the Pipeline of
            :func:`~skbreath.make_breath_classifier`.
        **params
            Parameters of the segmenter, such as `labels`, `clip_duration`.

        Returns
        -------
        segmenter : PhaseSegmenter
            Ready to predict. Its ``latency_`` is that of half a clip and more.

        Raises
        ------
        ValueError
            If the classifier lacks one of the labels.

        Notes
        -----
        The output of a network may depend in the last bits on the number of clips
        in a batch; with such a classifier results for different block sizes agree up
        to that.

        Examples
        --------
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> from skbreath import BreathFeatures, PhaseSegmenter, SummaryPooling
        >>> from skbreath import make_breath_recording, make_breath_sounds
        >>> clips = make_breath_sounds(60, random_state=0)
        >>> pooled = make_pipeline(
        ...     BreathFeatures(groups=("mel",)), SummaryPooling(),
        ...     LogisticRegression(max_iter=1000),
        ... )
        >>> pooled = pooled.fit(clips.waveforms, clips.target)
        >>> segmenter = PhaseSegmenter.from_classifier(pooled)
        >>> (phases,) = segmenter.predict([make_breath_recording(20).waveform])
        >>> segmenter.latency_ < 1
        True
        """
        segmenter = cls(clip_classifier=FrozenEstimator(classifier), **params)
        segmenter._validate_params()
        layout = segmenter._make_layout()
        segmenter.frame_model_ = None
        given = segmenter.emission_weight
        segmenter.emission_weight_ = _CLIP_WEIGHT if given == "auto" else given
        segmenter.phase_model_ = estimate_phase_model(
            textbook_phases(segmenter.labels),
            segmenter.labels,
            layout.hop_s,
            min_s=segmenter.min_duration,
        )
        segmenter._set_fitted(layout)
        return segmenter

    def predict(self, recordings: Recordings) -> list[pd.DataFrame]:
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
            holds reasons to doubt the result, such as silence, clipping or speech;
            it is "" for most recordings.

        Raises
        ------
        AudioError
            If a file cannot be read.

        Warns
        -----
        UserWarning
            For each recording that is empty, silent or shorter than 0.5 s, which
            have no phases, and for each that is clipped or unlike those of the
            training.
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

    def partial(
        self, sample_rate: int | None = None, *, start: float = 0.0
    ) -> PhaseStream:
        """Begin a recording that arrives in blocks.

        It computes a few seconds of silence first, so that the first block takes no
        longer than others.

        Parameters
        ----------
        sample_rate : int, default=None
            Rate of the blocks in Hz; None means the segmenter's own.
        start : float, default=0.0
            Time of the first sample in s, which is added to all times: for a recording
            that goes on after a microphone was disconnected.

        Returns
        -------
        stream : PhaseStream
            ``stream.push(block)`` gives the phases that are complete,
            ``stream.finish()`` the rest.

        Raises
        ------
        ValueError
            If `sample_rate` is not a valid rate, or `start` not a time.

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
        if not isinstance(start, Real) or not 0 <= start < np.inf:
            raise ValueError(f"start must be a time in s of at least 0, got {start!r}.")
        first = self._stream(sample_rate)
        rate = self.sample_rate if sample_rate is None else sample_rate
        first.push(np.zeros(int((1 + first.latency) * rate)))
        first.finish()
        return self._stream(sample_rate, start)

    def _stream(self, sample_rate, start=0.0):
        """Make the stream of a recording."""
        check_is_fitted(self)
        layout, model = self.layout_, self.frame_model_
        # Older model files have no features_.
        features = getattr(self, "features_", None) or layout.features()
        rate = self.sample_rate if sample_rate is None else sample_rate
        low, high = RATES
        if not isinstance(rate, Real) or not low <= rate <= high or rate % 1:
            raise ValueError(
                f"sample_rate must be a whole number of Hz from {low} to {high}, got "
                f"{rate!r}."
            )
        if model is None:
            scorer = layout.activity_scorer()
            log_prior = np.zeros(1 + len(layout.labels))
        else:
            scorer, log_prior = FrameScorer(layout.rows(), model), model.log_prior
        return PhaseStream(
            FrameStream(features, rate),
            scorer,
            self.phase_model_,
            layout,
            input_rate=rate,
            emission_weight=self.emission_weight_,
            log_prior=log_prior,
            latency=layout.latency(rate, model),
            start=start,
        )

    def _predict_one(self, recording):
        """Find the phases of one recording, with the note as an attribute."""
        stream, tables = None, []
        for rate, block in recording.blocks():
            stream = self._stream(rate) if stream is None else stream
            tables.append(stream.push(block))
        tables.append(stream.finish())
        rows = [row for table in tables for row in table.itertuples(index=False)]
        table = phase_table(() if stream.is_unusable else rows)
        table.attrs["note"] = stream.note
        return table

    def __getstate__(self):
        # A model file can hold and check dicts, but not these classes.
        state = dict(super().__getstate__())
        if "phase_model_" in state:
            state["phase_model_"] = state["phase_model_"]._asdict()
        if "layout_" in state:
            state["layout_"] = dict(vars(state["layout_"]))
        return state

    def __setstate__(self, state):
        state = dict(state)
        if "phase_model_" in state:
            state["phase_model_"] = PhaseModel(**state["phase_model_"])
            state["phase_model_"].check()
        if "layout_" in state:
            state["layout_"] = FrameLayout(**state["layout_"])
        super().__setstate__(state)

    def _fit_frames(self, rows, classes):
        """Fit the FrameModel on rows and classes of several recordings."""
        classifier = self.classifier
        classifier = default_classifier() if classifier is None else classifier
        model = FrameModel(classifier, 1 + len(self.labels), self.n_mels)
        _set_random_states(model.classifier, check_random_state(self.random_state))
        return model.fit(rows, classes)

    def _make_layout(self):
        """Make the FrameLayout of the parameters, and check them."""
        layout = FrameLayout(
            sample_rate=self.sample_rate,
            labels=tuple(self.labels),
            n_mels=self.n_mels,
            fmin=self.fmin,
            fmax=self.fmax,
            lookahead=self.lookahead,
            lag=self.lag,
            clip_classifier=self.clip_classifier,
            clip_duration=self.clip_duration,
            base=self.base,
        )
        layout.check()
        return layout

    def _set_fitted(self, layout):
        """Set the fitted attributes that the layout determines."""
        self.layout_, self.features_ = layout, layout.features()
        self.classes_ = np.array(list(self.labels), dtype=object)
        self.latency_ = layout.latency(self.sample_rate, self.frame_model_)


def _training_rows(layout, features, recording, table):
    """Compute rows and classes of the frames of a recording."""
    rows, stream, parts = layout.rows(), None, []
    for rate, block in recording.blocks():
        stream = FrameStream(features, rate) if stream is None else stream
        parts.append(rows.push(stream.push(block), stream.latest))
    parts += [rows.push(stream.finish(), stream.latest), rows.finish()]
    check_phases(
        table,
        name_annotations(table, recording),
        duration=stream.n_samples / rate,
        slack=BEYOND_END_S,
    )
    rows = np.concatenate([part for part in parts if part is not None])
    times = np.arange(len(rows)) * layout.hop_s
    classes = label_frames(table, layout.labels, times)
    return rows, classes
