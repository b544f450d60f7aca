"""Load label files and make synthetic data sets.

In: folders, tables of clips, or a seed. Out: paths or waveforms with labels and
groups.

May import: utils, audio, phases.
Tests: ``pytest tests/datasets``.
"""
