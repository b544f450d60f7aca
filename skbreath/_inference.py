"""What a trained network needs to predict: torch, but not skorch."""

from contextlib import contextmanager

import torch

__all__ = ["class_probabilities", "torch_threads"]


@contextmanager
def torch_threads(n_threads):
    """Let torch use `n_threads` CPU threads while the block runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def class_probabilities(logits):
    """Turn logits into probabilities of shape ``(n_clips, n_classes)``."""
    if logits.shape[1] == 1:
        positive = torch.sigmoid(logits)
        return torch.cat([1 - positive, positive], dim=1)
    return torch.softmax(logits, dim=1)
