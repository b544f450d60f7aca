"""The report page: one HTML file that opens offline.

In: a model and labelled clips. Out: scores with intervals, breakdowns, the vote, the
training, and the worst errors with their sound.

May import: everything except cli.
Tests: ``pytest tests/reporting``.
"""
