"""Tune estimators with Optuna.

In: an estimator and a space of parameters. Out: `OptunaSearchCV`, with the attributes
of GridSearchCV, and the estimators of its best trials.

May import: utils, audio, fitting.
Tests: ``pytest tests/search``.
"""
