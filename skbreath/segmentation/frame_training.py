"""Train the network of :mod:`skbreath.segmentation.frame_network` with skorch."""

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import GradientNormClipping, LRScheduler
from torch import nn
from torch.utils.data import Dataset

__all__ = ["train"]

# Class of the frames that fill up short recordings.
_NOTHING = -100
_LABEL_SMOOTHING = 0.05
_WEIGHT_DECAY = 1e-3
_LARGEST_GRADIENT = 1.0


class _Layer(nn.Module):
    """Residual layer: a dilated convolution, and a mixture of its channels."""

    def __init__(self, kernel_size, span, width, dropout):
        super().__init__()
        dilation, *self.padding = span
        self.convolution = nn.Conv1d(width, width, kernel_size, dilation=dilation)
        self.mixing = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, X):
        hidden = torch.relu(self.convolution(nn.functional.pad(X, self.padding)))
        return X + self.dropout(self.mixing(hidden))


class _Network(nn.Module):
    """Network over parts of recordings (n_parts, n_frames, n_features)."""

    def __init__(self, n_features, n_classes, width, kernel_size, spans, dropout):
        super().__init__()
        self.input = nn.Conv1d(n_features, width, 1)
        layers = [_Layer(kernel_size, span, width, dropout) for span in spans]
        self.layers = nn.Sequential(*layers)
        self.output = nn.Conv1d(width, n_classes, 1)

    def forward(self, X):
        hidden = self.layers(torch.relu(self.input(X.transpose(1, 2))))
        return self.output(torch.relu(hidden))


class _Parts(Dataset):
    """Cut random parts of equal length from recordings, long ones more often."""

    def __init__(self, frames, classes, length, n_epochs, rng):
        self.frames, self.classes, self.length = frames, classes, length
        n_frames = np.array([len(part) for part in frames])
        n_parts = max(1, round(n_epochs * n_frames.sum() / length))
        chosen = rng.choice(len(frames), n_parts, p=n_frames / n_frames.sum())
        first = rng.uniform(size=n_parts) * np.maximum(n_frames[chosen] - length + 1, 1)
        self.parts = list(zip(chosen.tolist(), first.astype(int).tolist(), strict=True))

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        recording, first = self.parts[index]
        here = slice(first, first + self.length)
        frames, classes = self.frames[recording][here], self.classes[recording][here]
        n_missing = self.length - len(frames)
        frames = np.pad(frames, ((0, n_missing), (0, 0)))
        return frames, np.pad(classes, (0, n_missing), constant_values=_NOTHING)


def train(network, kernel_size, frames, classes, rng):
    """Train on scaled frames and class numbers of recordings; return the weights.

    `network` is a FrameNetwork.
    """
    n_classes = len(network.classes_)
    parts = _Parts(frames, classes, network.n_frames, network.n_epochs, rng)
    n_steps = -(-len(parts) // network.batch_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.randint(2**31))
        net = NeuralNet(
            _Network,
            module__n_features=frames[0].shape[1],
            module__n_classes=n_classes,
            module__width=network.width,
            module__kernel_size=kernel_size,
            module__spans=network.spans(),
            module__dropout=network.dropout,
            criterion=nn.CrossEntropyLoss,
            criterion__ignore_index=_NOTHING,
            criterion__label_smoothing=_LABEL_SMOOTHING,
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=_WEIGHT_DECAY,
            lr=network.learning_rate,
            batch_size=network.batch_size,
            # The parts of all epochs are one epoch of the schedule.
            max_epochs=1,
            train_split=None,
            iterator_train__shuffle=False,
            callbacks=[
                GradientNormClipping(_LARGEST_GRADIENT),
                LRScheduler(
                    torch.optim.lr_scheduler.OneCycleLR,
                    step_every="batch",
                    max_lr=network.learning_rate,
                    total_steps=n_steps + 1,
                ),
            ],
            verbose=0,
        )
        net.fit(parts)
    return _weights(net.module_)


def _weights(module):
    """Get the weights by the names that the prediction uses."""
    weights = {
        "input": module.input.weight[:, :, 0],
        "input_bias": module.input.bias,
        "output": module.output.weight[:, :, 0],
        "output_bias": module.output.bias,
    }
    for number, layer in enumerate(module.layers):
        weights[f"convolution_{number}"] = layer.convolution.weight
        weights[f"convolution_bias_{number}"] = layer.convolution.bias
        weights[f"mixing_{number}"] = layer.mixing.weight[:, :, 0]
        weights[f"mixing_bias_{number}"] = layer.mixing.bias
    return {name: value.detach().numpy().copy() for name, value in weights.items()}
