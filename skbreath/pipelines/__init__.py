"""Complete classifiers from audio files to labels.

In: paths or waveforms, labels and groups. Out: presets, the Pipeline, its tuning and
fine-tuning, and bulk prediction.

May import: everything except model_files, onnx_export, plotting, pretrained, reporting
and cli.
Tests: ``pytest tests/pipelines``.
"""
