"""Plot sounds and fitted models with displays like those of scikit-learn."""

from ._accuracy_coverage import AccuracyCoverageDisplay
from ._feature_map_display import FeatureMapDisplay
from ._learning_curve_display import LearningCurveDisplay
from ._phase_timeline import PhaseTimelineDisplay
from ._saliency_display import SaliencyDisplay
from ._signal_displays import SpectrogramDisplay, spectrogram_db
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
