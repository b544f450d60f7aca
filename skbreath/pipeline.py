"""The whole classifier, from WAV files to labels, as one Pipeline."""

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from .audio import AudioReader
from .bulk import predict_files
from .classifier import ResidualCNNClassifier
from .features import BreathFeatures, ChannelScaler, SummaryPooling
from .threshold import ThresholdClassifier
from .voting import WeightedVotingClassifier

__all__ = ["REFERENCE_TRIALS", "make_breath_classifier", "predict_files"]

# Hyper-parameters of the three trials that the original competition entry kept of
# its sixty: good starting points on one-second clips of chest sounds.
REFERENCE_TRIALS = {
    "trial_8": {
        "dropout": 0.5320,
        "lr": 5.45e-4,
        "weight_decay": 2.85e-4,
        "gamma": 0.5447,
    },
    "trial_12": {
        "dropout": 0.4456,
        "lr": 5.31e-4,
        "weight_decay": 6.18e-5,
        "gamma": 0.5326,
    },
    "trial_54": {
        "dropout": 0.3638,
        "lr": 2.176e-3,
        "weight_decay": 1.29e-5,
        "gamma": 0.5838,
    },
}


def make_breath_classifier(
    members=None,
    *,
    sample_rate=16000,
    duration=1.0,
    log_scale=True,
    max_epochs=25,
    weights="learned",
    scoring="f1",
    pos_label="I",
    cv=5,
    drift="warn",
    n_jobs=None,
    device="cpu",
    random_state=None,
):
    """Build the classifier: paths or waveforms in, labels out.

    ::

        audio         AudioReader
        classifier    ThresholdClassifier of a WeightedVotingClassifier of
                        trial_8   BreathFeatures, ChannelScaler, residual CNN
                        trial_54  BreathFeatures, ChannelScaler, residual CNN
                        boosting  BreathFeatures, SummaryPooling, boosted trees

    Features are computed inside the members, because members may differ in them.
    Every part can be set and tuned by name, for example
    ``classifier__estimator__trial_8__net__lr``.

    Parameters
    ----------
    members : list of (str, estimator), default=None
        Members of the vote, each from waveforms to probabilities; None means the
        three above. :func:`~skbreath.top_estimators` gives such a list from a
        search over one of them.
    sample_rate : int, default=16000
        Rate in Hz that clips are brought to.
    duration : float, default=1.0
        Length in seconds that clips are cut or padded to.
    log_scale : bool, default=True
        Mel power and RMS in dB, each channel scaled to mean 0 and variance 1.
        False gives the members unscaled linear power, as the original entry had.
    max_epochs : int, default=25
        Epochs of the networks, at most.
    weights : "learned", array-like, dict or None, default="learned"
        Weights of the vote, see :class:`~skbreath.WeightedVotingClassifier`.
    scoring : str or callable, default="f1"
        What the threshold maximises, see :class:`~skbreath.ThresholdClassifier`.
    pos_label : label, default="I"
        The positive class, inhale.
    cv : int or splitter, default=5
        Folds that the weights and the threshold are learned on.
    drift : "warn" or None, default="warn"
        Warn when audio to predict is unlike the training audio, in level, band,
        sampling rate or microphone; see :class:`~skbreath.AudioReader`.
    n_jobs : int, default=None
        Fits in parallel, as in joblib.
    device : str, default="cpu"
        Where the networks are trained.
    random_state : int, RandomState instance or None, default=None
        Seed of every part; an integer makes a fit repeat to the bit.

    Returns
    -------
    pipeline : :class:`~sklearn.pipeline.Pipeline`
        Steps ``audio`` and ``classifier``. Give the recordings as groups by
        ``pipeline.fit(X, y, classifier__groups=groups)``, or by ``groups=groups``
        with scikit-learn's metadata routing enabled.

    See Also
    --------
    evaluate : Cross-validates it, grouped, with intervals.

    Examples
    --------
    >>> from skbreath import make_breath_classifier, make_breath_sounds
    >>> sounds = make_breath_sounds(60, random_state=0)
    >>> model = make_breath_classifier(max_epochs=2, cv=2, random_state=0)
    >>> model = model.fit(sounds.waveforms, sounds.target)
    >>> model.predict(sounds.waveforms).shape
    (60,)
    """
    seeds = check_random_state(random_state)

    def seed():
        # Without a seed every fit of every part draws its own.
        return None if random_state is None else int(seeds.randint(2**31 - 1))

    if members is None:
        members = [
            (
                name,
                make_net_member(
                    sample_rate=sample_rate,
                    log_scale=log_scale,
                    max_epochs=max_epochs,
                    device=device,
                    random_state=seed(),
                    **REFERENCE_TRIALS[name],
                ),
            )
            for name in ("trial_8", "trial_54")
        ]
        boosting = HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=200, random_state=seed()
        )
        steps = [
            ("features", BreathFeatures(sample_rate=sample_rate, log_scale=log_scale)),
            ("pooling", SummaryPooling()),
            ("boosting", boosting),
        ]
        members.append(("boosting", Pipeline(steps)))
    vote = WeightedVotingClassifier(members, weights=weights, cv=cv, n_jobs=n_jobs)
    threshold = ThresholdClassifier(
        vote, scoring=scoring, pos_label=pos_label, cv=cv, random_state=seed()
    )
    # One thread reads clips of a second faster than several do.
    reader = AudioReader(sample_rate=sample_rate, duration=duration, drift=drift)
    return Pipeline([("audio", reader), ("classifier", threshold)])


def make_net_member(*, sample_rate=16000, log_scale=True, **net_params):
    """Build one member of the vote: features, scaling, residual CNN.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz of the waveforms.
    log_scale : bool, default=True
        dB and scaled channels, or unscaled linear power.
    **net_params
        Parameters of :class:`~skbreath.ResidualCNNClassifier`.

    Returns
    -------
    member : :class:`~sklearn.pipeline.Pipeline`
        Steps ``features``, ``scaler`` ("passthrough" for linear power) and ``net``.

    Examples
    --------
    >>> from skbreath.pipeline import make_net_member
    >>> make_net_member(lr=0.002)["net"].lr
    0.002
    """
    return Pipeline(
        [
            ("features", BreathFeatures(sample_rate=sample_rate, log_scale=log_scale)),
            ("scaler", ChannelScaler() if log_scale else "passthrough"),
            ("net", ResidualCNNClassifier(**net_params)),
        ]
    )
