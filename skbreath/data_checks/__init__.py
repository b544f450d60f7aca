"""Check a data set for common problems.

In: a folder or a table of clips. Out: a table of findings with advice. One function
per check; `check_dataset` runs all of them.

May import: utils, audio, phases, features, fitting, datasets.
Tests: ``pytest tests/data_checks``.
"""
