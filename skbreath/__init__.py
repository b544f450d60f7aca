"""skbreath: tell inhale from exhale in breath sounds, the scikit-learn way.

Every public name is importable from here. Nothing heavy (torch, numba,
scikit-learn, pandas) is imported before a name that needs it is used.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"

_PUBLIC = {
    "_top_trials": ["top_estimators"],
    "augmentation": [
        "CircularShift",
        "CutMix",
        "MaskChannels",
        "MaskFrames",
        "Mixup",
    ],
    "audio": [
        "AudioError",
        "AudioReader",
        "AudioWarning",
        "check_audio_files",
        "load_audio",
    ],
    "caching": ["ClipMemory"],
    "classifier": ["ResidualCNNClassifier"],
    "datasets": [
        "clips_from_recordings",
        "load_kaggle_breath",
        "load_labelled_folder",
        "make_breath_recording",
        "make_breath_sounds",
        "write_breath_sounds",
        "write_submission",
    ],
    "dataset_check": ["check_dataset"],
    "_coverage_curve": ["accuracy_coverage_curve"],
    "evaluation": ["check_leakage", "compare_predictions", "evaluate"],
    "export": ["export_onnx"],
    "features": ["BreathFeatures", "ChannelScaler", "SummaryPooling"],
    "fine_tuning": ["FineTunedClassifier", "fine_tune"],
    "label_tracks": ["read_label_track", "write_label_track"],
    "model_file": ["ModelFileError", "load_model", "model_info", "save_model"],
    "network": ["ResidualCNN1d", "ResidualCNN2d"],
    "phases": ["PhaseSegmenter", "breath_statistics"],
    "pipeline": ["make_breath_classifier", "predict_files"],
    "plotting": [
        "AccuracyCoverageDisplay",
        "FeatureMapDisplay",
        "LearningCurveDisplay",
        "PhaseTimelineDisplay",
        "SaliencyDisplay",
        "SpectrogramDisplay",
        "ThresholdCurveDisplay",
        "VotingWeightsDisplay",
    ],
    "pretrained": ["load_pretrained"],
    "rejection": [
        "predict_with_rejection",
        "rejection_mask",
    ],
    "reporting": ["report"],
    "search": ["OptunaSearchCV"],
    "threshold": ["ThresholdClassifier"],
    "tuning": ["tune_breath_classifier"],
    "voting": ["WeightedVotingClassifier"],
}

__getattr__, __dir__, _ = _lazy.attach(
    __name__,
    submodules=sorted(name for name in _PUBLIC if not name.startswith("_")),
    submod_attrs=_PUBLIC,
)
# Not the submodules: `import *` should not bring in a name like `search`.
__all__ = ["__version__"]
for _names in _PUBLIC.values():
    __all__ += _names
