"""Predict with a trained network, without importing skorch."""

from contextlib import contextmanager

import torch

__all__ = ["check_device", "class_probabilities", "torch_threads"]


def check_device(device):
    """Raise an error if torch cannot compute on a device here."""
    try:
        torch.zeros(1, device=device)
    except (AssertionError, RuntimeError) as error:
        why = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(
            f"device={device!r} is not available here ({why}); take one that torch "
            "finds on this machine, such as 'cpu'."
        ) from error


@contextmanager
def torch_threads(n_threads):
    """Set the number of CPU threads of torch while the block runs."""
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
