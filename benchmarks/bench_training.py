"""Training of the networks: seconds per epoch, against plain PyTorch loops.

``python -m benchmarks.bench_training [--variants] [--save]``

All sides train on the same random features with batches of 64. Whole fits of two
epochs are timed, so that ours pays for checking its input and building its net.
Ratios are of CPU seconds, which say more than wall time where others compute too.
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
        return self.pool(self.blocks(self.stem(x[:, None])))


def ours(X, y, module, n_threads=1, precision=None, **net_params):
    """A fit of the classifier."""
    net = ResidualCNNClassifier(
        module=module,
        # The classifier's own default would make the 2-D network another one.
        hidden_channels=16 if module is ResidualCNN2d else 64,
        max_epochs=EPOCHS,
        early_stopping=False,
        n_threads=n_threads,
        precision=precision,
        net_params=net_params,
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


def variants(X, y, module):
    """What did not win, measured where the machine is idle."""
    return {
        "n_threads=2": ours(X, y, module, n_threads=2),
        'precision="bf16", n_threads=2': ours(X, y, module, 2, "bf16"),
        "loop, torch.compile": loop(X, y, module, compiled=True),
    }


def table(report, title, candidates, repeats, baseline, tensors):
    """Time the candidates; say how much faster than two of them each is."""
    timings = harness.measure(candidates, repeats=repeats, per=EPOCHS)
    rows = [
        (
            name,
            timing.text("cpu", scale=1e3),
            timing.text("wall", scale=1e3),
            f"{timing.ratio_to(timings[tensors]):.2f}",
            f"{timing.ratio_to(timings[baseline]):.2f}",
        )
        for name, timing in timings.items()
    ]
    header = ("ms an epoch", "CPU", "wall", "to the same loop", f"to {baseline}")
    report.table(f"{title}; times faster", header, rows)


def main():
    options = harness.parser(__doc__, repeats=5)
    options.add_argument("--clips", type=int, default=1280)
    options.add_argument(
        "--variants", action="store_true", help="two threads and torch.compile too"
    )
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
        "loop over tensors, same network": loop(X, y, ResidualCNN1d),
        "loop over tensors, reference's network": loop(X, y, PlainNet),
        reference: single_clips(X, y, PlainNet),
    }
    if options.variants:
        candidates |= variants(X, y, ResidualCNN1d)
    tensors = "loop over tensors, same network"
    title = f"ResidualCNN1d, {X.shape}, batches of 64, one thread unless said"
    table(report, title, candidates, options.repeats, reference, tensors)

    X, y = features(options.clips // 4, 64, 101)
    layout = "loop, default memory layout"
    candidates = {
        "ResidualCNNClassifier": ours(X, y, ResidualCNN2d),
        'precision="bf16"': ours(X, y, ResidualCNN2d, precision="bf16"),
        "pool_first=True": ours(X, y, ResidualCNN2d, module__pool_first=True),
        tensors: loop(X, y, ResidualCNN2d),
        layout: loop(X, y, NotChannelsLast),
    }
    if options.variants:
        candidates |= variants(X, y, ResidualCNN2d)
    title = f"ResidualCNN2d, {X.shape}, batches of 64, one thread unless said"
    table(report, title, candidates, options.repeats, layout, tensors)
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
