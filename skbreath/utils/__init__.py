"""Provide small tools that do not depend on the rest of the package.

In: nothing of skbreath. Out: atomic files, state of estimators that are pickled or
saved, options of compiled kernels, text for messages, and private names of other
libraries.

May import: nothing of skbreath.
Tests: ``pytest tests/utils``.
"""
