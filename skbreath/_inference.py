"""What a trained network needs to predict: torch, but not skorch."""

from contextlib import contextmanager

import torch

__all__ = ["check_device", "class_probabilities", "torch_threads"]


def check_device(device):
    """Refuse a device on which torch cannot compute here."""
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
