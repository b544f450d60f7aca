"""Find the phases of whole recordings.

In: recordings as files, waveforms or blocks of samples. Out: tables of phases. Frames
are scored by a classifier, and decoded with the durations and the order of phases.

May import: utils, audio, phases, features, fitting, ensemble.
Tests: ``pytest tests/segmentation``.
"""
