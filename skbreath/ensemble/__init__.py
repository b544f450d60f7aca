"""Combine fitted classifiers: vote, decision threshold and rejection.

In: classifiers with predict_proba. Out: a weighted and calibrated vote, a threshold
set on out-of-fold scores, a mask of uncertain labels; and the walk through composed
models (`inspection`).

May import: utils, audio, features, fitting.
Tests: ``pytest tests/ensemble``.
"""
