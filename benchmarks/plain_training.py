"""The rival: the original entry's network and training loop in plain PyTorch.

Written from its description, as somebody would who has torch and nothing else.
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

__all__ = ["Clips", "PlainNet", "predict", "train", "train_from_tensors"]


class _Block(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv1 = nn.Conv1d(n_in, n_out, 3, padding=1)
        self.bn1 = nn.BatchNorm1d(n_out)
        self.conv2 = nn.Conv1d(n_out, n_out, 3, padding=1)
        self.bn2 = nn.BatchNorm1d(n_out)
        self.skip = nn.Identity() if n_in == n_out else nn.Conv1d(n_in, n_out, 1)

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.skip(x))


class PlainNet(nn.Module):
    """The 1-D residual CNN over 112 channels of features, two classes."""

    def __init__(self, n_channels=112, dropout=0.5):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(n_channels, 64, 3, padding=1), nn.BatchNorm1d(64), nn.ReLU()
        )
        self.block1, self.block2 = _Block(64, 64), _Block(64, 128)
        self.dropout = nn.Dropout(dropout)
        self.fc1, self.fc2 = nn.Linear(256, 64), nn.Linear(64, 1)

    def forward(self, x):
        x = F.max_pool1d(self.block1(self.stem(x)), 2)
        x = self.dropout(F.max_pool1d(self.block2(x), 2))
        x = torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1)
        return self.fc2(self.dropout(F.relu(self.fc1(x))))


class Clips(Dataset):
    """One clip at a time."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return torch.from_numpy(self.X[index]), torch.tensor([float(self.y[index])])


def train(network, X, y, *, held_back=None, epochs=25, patience=10, **params):
    """Train with a DataLoader of single clips, as the original entry does.

    Parameters
    ----------
    network : torch.nn.Module
    X : ndarray of shape (n_clips, n_channels, n_frames)
    y : ndarray of shape (n_clips,)
        0 or 1.
    held_back : tuple of two ndarrays, default=None
        Features and labels whose loss ends the training; the weights of its best
        epoch are kept.
    epochs, patience : int
    **params
        ``lr``, ``weight_decay``, ``gamma``.
    """
    optimizer, scheduler = _optimizer(network, **params)
    loader = DataLoader(Clips(X, y), batch_size=64, shuffle=True)
    best, best_weights, waited = np.inf, None, 0
    for _ in range(epochs):
        network.train()
        for batch, target in loader:
            _step(network, optimizer, batch, target)
        scheduler.step()
        if held_back is None:
            continue
        loss = _loss(network, *held_back)
        waited += 1
        if loss < best:
            best, waited = loss, 0
            best_weights = copy.deepcopy(network.state_dict())
        if waited >= patience:
            break
    if best_weights is not None:
        network.load_state_dict(best_weights)


def train_from_tensors(network, X, targets, *, epochs, **params):
    """Train without a DataLoader: batches are cut from tensors in memory."""
    optimizer, scheduler = _optimizer(network, **params)
    network.train()
    for _ in range(epochs):
        order = torch.randperm(len(X))
        for rows in order.split(64):
            _step(network, optimizer, X[rows], targets[rows])
        scheduler.step()


def predict(network, X):
    """Probability of class 1, shape ``(n_clips,)``."""
    network.eval()
    with torch.inference_mode():
        logits = [network(batch) for batch in torch.from_numpy(X).split(256)]
    return torch.sigmoid(torch.cat(logits)).squeeze(1).numpy()


def _optimizer(network, *, lr=1e-3, weight_decay=1e-4, gamma=0.5):
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=lr, weight_decay=weight_decay
    )
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 5, gamma)


def _step(network, optimizer, batch, target):
    optimizer.zero_grad()
    loss = F.binary_cross_entropy_with_logits(network(batch), target)
    loss.backward()
    optimizer.step()
    return loss.item()


def _loss(network, X, y):
    proba = np.clip(predict(network, X).astype(float), 1e-7, 1 - 1e-7)
    return -np.where(y == 1, np.log(proba), np.log(1 - proba)).mean()
