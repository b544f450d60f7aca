"""Support the fit of meta-estimators.

In: estimators, X, y and groups. Out: out-of-fold predictions by groups, checked
labels, scorers with a positive class, routed metadata, and a record of the training
data.

May import: utils, audio.
Tests: ``pytest tests/fitting``.
"""
