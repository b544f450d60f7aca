"""Displays of sounds and of fitted models, as in scikit-learn.

In: waveforms, phases, fitted models or predictions. Out: matplotlib figures.

May import: everything except onnx_export, pretrained, reporting and cli.
Tests: ``pytest tests/plotting``.
"""
