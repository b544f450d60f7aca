"""Compute features from waveforms.

In: waveforms of shape (n_clips, n_samples). Out: channels over time, of shape
(n_clips, n_channels, n_frames), their standardised values, or one row per clip for
classifiers that take a table.

May import: utils, audio.
Tests: ``pytest tests/features``.
"""
