"""Export fitted models to ONNX.

In: a fitted model. Out: a file that takes waveforms and gives probabilities, checked
against the model.

May import: everything except plotting, reporting and cli.
Tests: ``pytest tests/onnx_export``.
"""
