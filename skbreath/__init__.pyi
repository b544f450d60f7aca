from .audio.clip_memory import ClipMemory as ClipMemory
from .audio.clip_warnings import AudioWarning as AudioWarning
from .audio.decoding import check_audio_files as check_audio_files
from .audio.decoding import inspect_audio_files as inspect_audio_files
from .audio.decoding import load_audio as load_audio
from .audio.files import AudioError as AudioError
from .audio.files import find_audio_files as find_audio_files
from .audio.inputs import as_paths_or_waveforms as as_paths_or_waveforms
from .audio.reader import AudioReader as AudioReader
from .data_checks.check_dataset import check_dataset as check_dataset
from .datasets.label_files import load_kaggle_breath as load_kaggle_breath
from .datasets.label_files import load_labelled_folder as load_labelled_folder
from .datasets.label_files import write_submission as write_submission
from .datasets.recording_clips import clips_from_recordings as clips_from_recordings
from .datasets.synthetic_clips import make_breath_sounds as make_breath_sounds
from .datasets.synthetic_clips import write_breath_sounds as write_breath_sounds
from .datasets.synthetic_recordings import (
    make_breath_recording as make_breath_recording,
)
from .ensemble.rejection import predict_with_rejection as predict_with_rejection
from .ensemble.rejection import rejection_mask as rejection_mask
from .ensemble.threshold import ThresholdClassifier as ThresholdClassifier
from .ensemble.voting import WeightedVotingClassifier as WeightedVotingClassifier
from .evaluation.comparison import break_down as break_down
from .evaluation.comparison import compare_predictions as compare_predictions
from .evaluation.coverage import accuracy_coverage_curve as accuracy_coverage_curve
from .evaluation.evaluate import evaluate as evaluate
from .evaluation.evaluate import evaluate_fitted as evaluate_fitted
from .evaluation.leakage import check_leakage as check_leakage
from .evaluation.scores import score_predictions as score_predictions
from .features.breath_features import BreathFeatures as BreathFeatures
from .features.channel_scaler import ChannelScaler as ChannelScaler
from .features.recording_context import RecordingContext as RecordingContext
from .features.summary_pooling import SummaryPooling as SummaryPooling
from .model_files.container import ModelFileError as ModelFileError
from .model_files.save_load import load_model as load_model
from .model_files.save_load import model_info as model_info
from .model_files.save_load import save_model as save_model
from .networks.augmentation import CircularShift as CircularShift
from .networks.augmentation import CutMix as CutMix
from .networks.augmentation import LeaveRecording as LeaveRecording
from .networks.augmentation import MaskChannels as MaskChannels
from .networks.augmentation import MaskFrames as MaskFrames
from .networks.augmentation import Mixup as Mixup
from .networks.classifier import ResidualCNNClassifier as ResidualCNNClassifier
from .networks.residual_cnn import ResidualCNN1d as ResidualCNN1d
from .networks.residual_cnn import ResidualCNN2d as ResidualCNN2d
from .onnx_export.export import export_onnx as export_onnx
from .phases.breath_statistics import breath_statistics as breath_statistics
from .phases.label_tracks import read_label_track as read_label_track
from .phases.label_tracks import write_label_track as write_label_track
from .phases.phase_metrics import boundary_errors as boundary_errors
from .phases.phase_metrics import event_scores as event_scores
from .phases.phase_metrics import rate_errors as rate_errors
from .phases.phase_metrics import segment_scores as segment_scores
from .pipelines.breath_classifier import (
    make_breath_classifier as make_breath_classifier,
)
from .pipelines.fine_tuning import FineTunedClassifier as FineTunedClassifier
from .pipelines.fine_tuning import fine_tune as fine_tune
from .pipelines.prediction import predict_files as predict_files
from .pipelines.presets import PRESETS as PRESETS
from .pipelines.presets import REFERENCE_TRIALS as REFERENCE_TRIALS
from .pipelines.presets import make_boosting_member as make_boosting_member
from .pipelines.presets import make_frame_member as make_frame_member
from .pipelines.presets import make_net_member as make_net_member
from .pipelines.presets import make_spectrogram_member as make_spectrogram_member
from .pipelines.tuning import network_space as network_space
from .pipelines.tuning import tune_breath_classifier as tune_breath_classifier
from .plotting.decision_curves import (
    AccuracyCoverageDisplay as AccuracyCoverageDisplay,
)
from .plotting.decision_curves import ThresholdCurveDisplay as ThresholdCurveDisplay
from .plotting.feature_map import FeatureMapDisplay as FeatureMapDisplay
from .plotting.fitted_model import LearningCurveDisplay as LearningCurveDisplay
from .plotting.fitted_model import VotingWeightsDisplay as VotingWeightsDisplay
from .plotting.phase_timeline import PhaseTimelineDisplay as PhaseTimelineDisplay
from .plotting.saliency import SaliencyDisplay as SaliencyDisplay
from .plotting.spectrogram import SpectrogramDisplay as SpectrogramDisplay
from .plotting.spectrogram import spectrogram_db as spectrogram_db
from .pretrained import load_pretrained as load_pretrained
from .reporting.report import report as report
from .search.optuna_search import OptunaSearchCV as OptunaSearchCV
from .search.top_trials import top_estimators as top_estimators
from .segmentation.frame_network import FrameNetwork as FrameNetwork
from .segmentation.phase_stream import PhaseStream as PhaseStream
from .segmentation.segmenter import PhaseSegmenter as PhaseSegmenter

__version__: str
