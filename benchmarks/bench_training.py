"""Training of the networks: seconds per epoch, against plain PyTorch loops.

``python -m benchmarks.bench_training [--compile] [--save]``

All sides train on the same random features with batches of 64. Whole fits of two
epochs are timed, so that ours pays for checking its input and building its net.
"""

import numpy as np
import torch

from benchmarks import harness
from benchmarks.plain_training import PlainNet, train, train_from_tensors
from skbreath import ResidualCNN1d, ResidualCNN2d, ResidualCNNClassifier

EPOCHS = 2


class NotChannelsLast(ResidualCNN2d):
    """The same network with torch's default memory layout."""

    def __init__(self, n_channels, **params):
        super().__init__(n_channels, **params)
        self.to(memory_format=torch.contiguous_format)

    def embed(self, x):
        x = self.blocks(x[:, None]).flatten(start_dim=2)
        return torch.cat([x.mean(dim=-1), x.amax(dim=-1)], dim=1)


def ours(X, y, module, n_threads=1, precision=None):
    """A fit of the classifier."""
    net = ResidualCNNClassifier(
        module=module,
        max_epochs=EPOCHS,
        early_stopping=False,
        n_threads=n_threads,
        precision=precision,
        random_state=0,
    )
    return lambda: net.fit(X, y)


def loop(X, y, module, compiled=False):
    """Plain PyTorch on tensors in memory, the same network."""
    tensors = torch.from_numpy(X), torch.from_numpy(y)[:, None].float()
    torch.manual_seed(0)
    network = module(X.shape[1])
    # Compiled once: a minute of warm-up is not counted.
    network = torch.compile(network) if compiled else network
    return lambda: train_from_tensors(network, *tensors, epochs=EPOCHS)


def single_clips(X, y, module):
    """Plain PyTorch through a DataLoader of single clips."""
    torch.manual_seed(0)
    network = module(X.shape[1])
    return lambda: train(network, X, y, epochs=EPOCHS)


def table(report, title, candidates, repeats, baseline, tensors):
    """Time the candidates; ratios are to the plain loop over tensors."""
    timings = harness.measure(candidates, repeats=repeats, per=EPOCHS)
    rows = [
        (
            name,
            timing.text("wall", scale=1),
            f"{timing.ratio_to(timings[tensors], 'wall'):.2f}",
            f"{timing.ratio_to(timings[baseline], 'wall'):.2f}",
        )
        for name, timing in timings.items()
    ]
    header = ("", "s an epoch", "times the loop's speed", f"the {baseline}'s")
    report.table(title, header, rows)


def main():
    options = harness.parser(__doc__, repeats=5)
    options.add_argument("--clips", type=int, default=1280)
    options.add_argument("--compile", action="store_true", help="torch.compile too")
    options = options.parse_args()
    torch.set_num_threads(1)
    report = harness.Report("bench_training")
    rng = np.random.default_rng(0)

    def features(n_clips, *shape):
        X = rng.normal(size=(n_clips, *shape)).astype(np.float32)
        return X, rng.integers(0, 2, n_clips)

    X, y = features(options.clips, 112, 63)
    reference = "reference's loop"
    candidates = {
        "ResidualCNNClassifier": ours(X, y, ResidualCNN1d),
        'precision="bf16"': ours(X, y, ResidualCNN1d, precision="bf16"),
        "n_threads=2": ours(X, y, ResidualCNN1d, n_threads=2),
        "loop over tensors, same network": loop(X, y, ResidualCNN1d),
        "loop over tensors, reference's network": loop(X, y, PlainNet),
        reference: single_clips(X, y, PlainNet),
    }
    if options.compile:
        candidates["loop, torch.compile"] = loop(X, y, ResidualCNN1d, compiled=True)
    tensors = "loop over tensors, same network"
    title = f"ResidualCNN1d, {X.shape}, one thread unless said; wall time"
    table(report, title, candidates, options.repeats, reference, tensors)

    X, y = features(options.clips // 4, 64, 101)
    layout = "loop, default memory layout"
    candidates = {
        "ResidualCNNClassifier": ours(X, y, ResidualCNN2d),
        'precision="bf16"': ours(X, y, ResidualCNN2d, precision="bf16"),
        "n_threads=2": ours(X, y, ResidualCNN2d, n_threads=2),
        'precision="bf16", n_threads=2': ours(X, y, ResidualCNN2d, 2, "bf16"),
        tensors: loop(X, y, ResidualCNN2d),
        layout: loop(X, y, NotChannelsLast),
    }
    if options.compile:
        candidates["loop, torch.compile"] = loop(X, y, ResidualCNN2d, compiled=True)
    title = f"ResidualCNN2d, {X.shape}, one thread unless said; wall time"
    table(report, title, candidates, options.repeats, layout, tensors)
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
