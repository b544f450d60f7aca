"""Read audio files as waveforms.

In: paths, or waveforms of shape (n_clips, n_samples). Out: waveforms as float32, or
one error that names every file that cannot be read. Also whole recordings in blocks,
and warnings for silent clips and for audio unlike the training audio.

May import: utils.
Tests: ``pytest tests/audio``.
"""
