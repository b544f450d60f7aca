"""``kill -9`` at random moments of training, tuning, saving and predicting.

``python -m benchmarks.kill_anywhere [--kills 200] [--seed 0] [--save]``

Each job is a forked process that is killed after a random part of the time it takes.
Then its result must be the old file or the new one, whole; and the same job, started
again, must finish with the result that it gives when nobody disturbs it.
"""

import argparse
import faulthandler
import logging
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from pathlib import Path

from benchmarks import harness

FAST = ["--max-epochs", "1", "--jobs", "1"]
# Seconds after which a job has failed, and shows where it waits.
LIMIT = 120


class Job:
    """What is killed: a file that stands there before, and how to tell a new one."""

    result = "model.skb"

    def __init__(self, folder, data):
        self.folder, self.data = Path(folder), data
        self.path = self.folder / self.result

    def prepare(self, old):
        """Put the old file in place, and clear what an earlier round left."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.path.write_bytes(old)

    def describe(self):
        """The result as something that can be compared; raises if it is broken."""
        from skbreath import load_model

        return load_model(self.path).predict_proba(self.data["clips"]).tobytes()

    def after_kill(self):
        """What else must hold; raises if it does not."""


class Train(Job):
    def run(self):
        command("train", self.data["folder"], "--out", self.path, *FAST)


class Tune(Job):
    """A search with its trials in a file, which goes on where it was killed."""

    n_trials = 8

    def run(self):
        from optuna.distributions import FloatDistribution
        from sklearn.naive_bayes import GaussianNB
        from sklearn.pipeline import make_pipeline

        from skbreath import BreathFeatures, OptunaSearchCV, SummaryPooling, save_model
        from skbreath.search import storage

        # Otherwise each run after a kill would wait for a minute.
        storage.HEARTBEAT_INTERVAL, storage.GRACE_PERIOD = 1, 3
        steps = BreathFeatures(n_mels=8, groups=("mel", "rms")), SummaryPooling()
        search = OptunaSearchCV(
            make_pipeline(*steps, GaussianNB()),
            {"gaussiannb__var_smoothing": FloatDistribution(1e-9, 1e-1, log=True)},
            n_trials=self.n_trials,
            cv=3,
            random_state=0,
            storage=f"sqlite:///{self.folder / 'trials.db'}",
            study_name="killed",
        )
        data = self.data
        search.fit(data["clips"], data["target"], groups=data["recording"])
        save_model(search, self.path)

    def describe(self):
        # Who goes on after a kill draws other trials: of a new file, that it loads
        # and has all of them.
        from skbreath import load_model

        loaded = load_model(self.path)
        if loaded.predict_proba(self.data["clips"]).shape[1] != 2:
            raise AssertionError("no probabilities")
        states = getattr(loaded, "cv_results_", {}).get("trial_state", [])
        return sum(state == "COMPLETE" for state in states) >= self.n_trials

    def after_kill(self):
        database = self.folder / "trials.db"
        if database.exists():
            with sqlite3.connect(database) as connection:
                (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
            if answer != "ok":
                raise AssertionError(f"trials.db: {answer}")


class Save(Job):
    """Saving to a slow disk: most kills hit a file half written."""

    def run(self):
        from skbreath import save_model

        def write_slowly(path, content):
            with open(path, "wb") as file:
                for start in range(0, len(content), 64):
                    file.write(content[start : start + 64])
                    file.flush()
                    time.sleep(0.005)

        Path.write_bytes = write_slowly  # in this process, which ends soon
        save_model(self.data["model"], self.path)


class Predict(Job):
    result = "labels.csv"

    def run(self):
        clips = [str(path) for path in self.data["paths"]]
        model = self.data["model_file"]
        options = "--out", self.path, "--batch-size", 4
        command("predict", "--model", model, *clips, *options)

    def describe(self):
        return self.path.read_bytes()


JOBS = {"train": Train, "tune": Tune, "save": Save, "predict": Predict}
# How many of twenty kills hit each: the first two take long, and write least.
SHARES = {"train": 3, "tune": 3, "save": 7, "predict": 7}


def command(*arguments):
    """A command of skbreath in this process."""
    from skbreath.cli import main

    main([str(argument) for argument in arguments], standalone_mode=False)


def prepare_data(folder):
    """Clips, and a model; both small."""
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline

    from skbreath import (
        AudioReader,
        BreathFeatures,
        ResidualCNNClassifier,
        SummaryPooling,
        load_kaggle_breath,
        make_breath_sounds,
        save_model,
        write_breath_sounds,
    )

    sounds = make_breath_sounds(48, n_subjects=12, random_state=0)
    clips = load_kaggle_breath(write_breath_sounds(sounds, folder / "data"))
    steps = BreathFeatures(n_mels=8, groups=("mel", "rms")), SummaryPooling()
    model = make_pipeline(AudioReader(), *steps, GaussianNB())
    model.fit(clips.paths[:24], clips.target[:24])
    save_model(model, folder / "old.skb")
    model.fit(clips.paths, clips.target)  # another one, to be told apart
    # Loads torch's optimizers, once for all the jobs that are forked from here.
    net = ResidualCNNClassifier(hidden_channels=4, max_epochs=1, early_stopping=False)
    net.fit(model[:-1].transform(clips.paths), clips.target)
    return {
        "folder": folder / "data",
        "paths": clips.paths,
        "clips": AudioReader().fit_transform(clips.paths),
        "target": clips.target,
        "recording": clips.recording,
        "model": model,
        "model_file": folder / "old.skb",
    }


def start(job):
    """Run a job in a forked process; what it prints is kept for errors."""
    log = job.folder.parent / f"{job.folder.name}.log"
    pid = os.fork()
    if pid:
        return pid, log
    code = 1
    try:
        with open(log, "w") as file:
            os.dup2(file.fileno(), sys.stdout.fileno())
            os.dup2(file.fileno(), sys.stderr.fileno())
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        job.run()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def run_whole(job):
    """Run a job to its end; seconds."""
    began = time.perf_counter()
    pid, log = start(job)
    _, status = os.waitpid(pid, 0)
    if status:
        raise AssertionError(f"ended with {status}: {log.read_text()[-2000:]}")
    return time.perf_counter() - began


def kill_once(job, seconds, old, expected):
    """One kill and one run after it; what was found, by word."""
    job.prepare(old)
    pid, _ = start(job)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        when = "killed"
    elif status:
        raise AssertionError(f"ended by itself with {status}")
    else:
        when = "finished before"
    content = job.path.read_bytes()
    found = "old" if content == old else "new"
    if found == "new" and job.describe() != expected:
        raise AssertionError("a new file with another result")
    job.after_kill()
    leftovers = len(list(job.folder.glob(".*")))
    run_whole(job)
    if job.describe() != expected:
        raise AssertionError("started again, it ended with another result")
    return when, found, leftovers


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--save", action="store_true")
    options = options.parse_args()
    logging.getLogger("optuna").setLevel(logging.ERROR)
    report = harness.Report("kill_anywhere")
    chance = random.Random(options.seed)
    broken = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = prepare_data(folder)
        rows = []
        for title, kind in JOBS.items():
            job = kind(folder / title, data)
            old = (folder / "old.skb").read_bytes()
            if job.result.endswith(".csv"):
                old = b"path,label\nold.wav,I\n"
            job.prepare(old)
            run_whole(job)  # compiles, fills caches
            job.prepare(old)
            duration = run_whole(job)
            expected = job.describe()
            kills = round(options.kills * SHARES[title] / sum(SHARES.values()))
            counts = dict.fromkeys(("killed", "finished before", "old", "new"), 0)
            left = 0
            for _ in range(kills):
                moment = chance.uniform(0, duration)
                try:
                    when, found, leftovers = kill_once(job, moment, old, expected)
                except Exception as error:
                    broken.append(f"{title}, after {moment:.3f} s: {error}")
                    continue
                counts[when] += 1
                counts[found] += 1
                left += leftovers
            rows.append((title, f"{duration:.2f}", kills, *counts.values(), left))
            print(f"{title}: {kills} kills", file=sys.stderr)
        report.table(
            f"{options.kills} kills at random moments, seed {options.seed}; each job "
            "then started again",
            (
                *("job", "seconds", "times", "killed", "done before"),
                *("old file", "new file", "temporary files left"),
            ),
            rows,
        )
    report.line()
    report.line(f"half or wrong files, or runs that did not finish: {len(broken)}")
    for line in broken:
        report.line(f"  {line}")
    if options.save:
        report.save()
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
