"""Evaluate and compare models, by groups and with intervals.

In: a model, X, y and groups; or predictions. Out: scores with bootstrap intervals,
paired differences, checks for leaks, and accuracy against coverage.

May import: utils, audio, fitting, ensemble.
Tests: ``pytest tests/evaluation``.
"""
