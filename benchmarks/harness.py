"""What benchmarks share: repeats in turn, medians with spread, one table, options."""

import argparse
import importlib.metadata
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Report",
    "Timing",
    "check_kept",
    "data_folder",
    "kept_folder",
    "load_clips",
    "measure",
    "memory_mb",
    "parser",
]

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "scipy", "numba", "librosa", "scikit-learn", "torch", "skbreath")


@dataclass
class Timing:
    """Seconds of each repeat."""

    cpu: list[float]
    wall: list[float]

    def text(self, kind="cpu", scale=1e6):
        """Median and range, such as ``"120 (115..131)"``; microseconds by default."""
        values = [value * scale for value in getattr(self, kind)]
        digits = 0 if statistics.median(values) >= 100 else 1
        middle, low, high = (
            f"{value:,.{digits}f}"
            for value in (statistics.median(values), min(values), max(values))
        )
        return f"{middle} ({low}..{high})"

    def ratio_to(self, other, kind="cpu"):
        """How many times less this takes than `other`, in medians."""
        mine, theirs = (statistics.median(getattr(t, kind)) for t in (self, other))
        return theirs / mine


def memory_mb(kind, pid="self"):
    """Memory of a process: "VmRSS" is what it has now, "VmHWM" the most it had.

    Not ``ru_maxrss``: a new process begins with that of the one that started it.
    """
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split(f"{kind}:")[1].split()[0]) / 1024


def measure(candidates, *, repeats=7, per=1):
    """Time each of `candidates` once a round, for `repeats` rounds after a warm-up.

    Interleaved, so that whatever else the machine does disturbs all sides alike.

    Parameters
    ----------
    candidates : dict of str to callable
        Called without arguments.
    repeats : int, default=7
        Rounds.
    per : int or dict of str to int, default=1
        Units of work in a call: seconds are divided by it.

    Returns
    -------
    timings : dict of str to Timing
    """
    timings = {name: Timing([], []) for name in candidates}
    for call in candidates.values():
        call()
    for _ in range(repeats):
        for name, call in candidates.items():
            units = per[name] if isinstance(per, dict) else per
            cpu, wall = time.process_time(), time.perf_counter()
            call()
            timings[name].cpu.append((time.process_time() - cpu) / units)
            timings[name].wall.append((time.perf_counter() - wall) / units)
    return timings


def data_folder():
    """Folder of the real recordings (``SKBREATH_DATA``), or None."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKBREATH_DATA", default))
    return folder if (folder / "kaggle-breath" / "train.csv").is_file() else None


def parser(description, *, repeats=9):
    """Options that every benchmark has."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--repeats", type=int, default=repeats)
    options.add_argument(
        "--save", action="store_true", help="also write the text to benchmarks/results"
    )
    return options


def load_clips(arguments, folder):
    """Clips in the Kaggle layout; an error of `arguments`, a parser, if unusable."""
    # Not above: what importing it costs is measured with this module loaded.
    from skbreath import load_kaggle_breath

    try:
        return load_kaggle_breath(folder)
    except ValueError as error:
        arguments.error(f"argument --data: {error}")


def kept_folder(arguments, folder, *, report):
    """Folder that keeps fits, made where it is missing; None makes a temporary one.

    If it is only reported (`report`) it must be there.
    """
    if report and folder is None:
        arguments.error("--report shows the fits that a folder keeps: give --folder.")
    if report and not Path(folder).is_dir():
        arguments.error(f"argument --folder: there is no folder {str(folder)!r}.")
    folder = Path(folder or tempfile.mkdtemp())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        arguments.error(f"argument --folder: it cannot be made: {error}")
    return folder


def check_kept(file, n_scores, n_clips):
    """Refuse a kept fit that has not judged as many clips as the fold has."""
    if n_scores != n_clips:
        raise SystemExit(
            f"{file} has the scores of {n_scores} clips, but this fold of the data has "
            f"{n_clips}: it was made from other data. Give another --folder, or delete "
            "the file."
        )


class Report:
    """Lines and tables, printed as they come and kept for the results folder."""

    def __init__(self, name):
        self.name = name
        self.lines = []
        self.line(f"python -m benchmarks.{name}")
        self.line(f"{_cpu_model()}, {os.cpu_count()} cores, {platform.platform()}")
        if hasattr(os, "getloadavg"):
            self.line(f"load of others, last minute: {os.getloadavg()[0]:.1f}")
        versions = [f"Python {platform.python_version()}"]
        for package in PACKAGES:
            try:
                versions.append(f"{package} {importlib.metadata.version(package)}")
            except importlib.metadata.PackageNotFoundError:
                continue
        self.line(", ".join(versions))

    def line(self, text=""):
        """Print a line."""
        print(text, flush=True)
        self.lines.append(text)

    def table(self, title, header, rows):
        """Print a table; the first column is flush left."""
        cells = [[str(cell) for cell in row] for row in (header, *rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        self.line()
        self.line(title)
        for row in cells:
            first, *rest = (
                cell.rjust(width) if column else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            self.line("  ".join([first, *rest]).rstrip())

    def save(self):
        """Write what was printed to the results folder."""
        RESULTS.mkdir(exist_ok=True)
        file = RESULTS / f"{self.name}.txt"
        file.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        print(f"written to {file}", file=sys.stderr)


def _cpu_model():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return models[0] if models else platform.machine()
