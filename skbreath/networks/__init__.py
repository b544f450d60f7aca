"""Residual CNNs and their training.

In: features of shape (n_clips, n_channels, n_frames). Out: a scikit-learn classifier
that trains a network through skorch, with augmentation and early stopping.

May import: utils, audio, fitting.
Tests: ``pytest tests/networks``.
"""
