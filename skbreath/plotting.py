"""Pictures of sounds and of fitted models, in the manner of scikit-learn displays."""

from ._accuracy_coverage import AccuracyCoverageDisplay
from ._learning_curve_display import LearningCurveDisplay
from ._phase_timeline import PhaseTimelineDisplay
from ._saliency_display import SaliencyDisplay
from ._signal_displays import FeatureMapDisplay, SpectrogramDisplay, spectrogram_db
from ._threshold_curve_display import ThresholdCurveDisplay
from ._voting_weights_display import VotingWeightsDisplay

__all__ = [
    "AccuracyCoverageDisplay",
    "FeatureMapDisplay",
    "LearningCurveDisplay",
    "PhaseTimelineDisplay",
    "SaliencyDisplay",
    "SpectrogramDisplay",
    "ThresholdCurveDisplay",
    "VotingWeightsDisplay",
    "spectrogram_db",
]
