"""One study in PostgreSQL: the time of two processes against that of one.

``python -m benchmarks.bench_workers [--trials 24] [--save]``

The trials are fits of the reference's network on random features, of equal cost.
Processes are timed from the moment when all of them have loaded everything.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import torch

from benchmarks import harness
from skbreath import OptunaSearchCV, ResidualCNNClassifier, network_space

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "search"))
from postgres_server import find_postgres, running_postgres  # noqa: E402

WORKER = "--worker"


def work(url, name, n_trials):
    """Load, wait for a line on standard input, then search."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(256, 112, 63)).astype(np.float32), np.tile([0, 1], 128)
    net = ResidualCNNClassifier(max_epochs=4, early_stopping=False, random_state=0)
    net.fit(X[:64], y[:64])
    search = OptunaSearchCV(
        net,
        network_space(prefix=""),
        n_trials=n_trials,
        sampler=optuna.samplers.RandomSampler(seed=0),
        cv=3,
        storage=url,
        study_name=name,
        refit=False,
    )
    print("ready", flush=True)
    sys.stdin.readline()
    search.fit(X, y)
    assert len(search.cv_results_["params"]) == n_trials


def run(url, name, n_trials, n_workers):
    """Time a study of `n_workers` processes, in seconds."""
    command = [sys.executable, "-m", "benchmarks.bench_workers"]
    command += [WORKER, url, name, str(n_trials)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, **pipes) for _ in range(n_workers)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    codes = [worker.wait() for worker in workers]
    assert codes == [0] * n_workers, codes
    return time.perf_counter() - began


def main():
    options = harness.parser(__doc__, repeats=3)
    options.add_argument("--trials", type=int, default=24)
    options = options.parse_args()
    report = harness.Report("bench_workers")
    seconds = {1: [], 2: []}
    with running_postgres(*find_postgres()) as url:
        run(url, "warm-up", 2, 2)  # makes the tables
        for repeat in range(options.repeats):
            for n_workers, times in seconds.items():
                name = f"{n_workers} of repeat {repeat}"
                times.append(run(url, name, options.trials, n_workers))
    timings = {n: harness.Timing([], times) for n, times in seconds.items()}
    report.table(
        f"{options.trials} trials of 3 fits each, one study in PostgreSQL; wall time",
        ("processes", "seconds", "part of one process's time"),
        [
            (n, t.text("wall", scale=1), f"{1 / t.ratio_to(timings[1], 'wall'):.2f}")
            for n, t in timings.items()
        ],
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    if WORKER in sys.argv:
        work(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
