"""What the fuzz targets share: instrumented imports, seeds, and options."""

import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import atheris

__all__ = ["REPOSITORY", "instrumented", "run"]

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
# A thread pool of its own in each library only slows tiny inputs down.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@contextmanager
def instrumented():
    """Count the branches taken in this package's modules imported inside."""
    with atheris.instrument_imports(include=["skbreath"]):
        yield


def run(target, seeds):
    """Fuzz `target` until it fails or the time of ``-max_total_time`` is over.

    Parameters
    ----------
    target : callable
        Of bytes. Whatever it raises is a finding.
    seeds : iterable of bytes
        Inputs to start from.
    """
    if not any(not argument.startswith("-") for argument in sys.argv[1:]):
        corpus = tempfile.mkdtemp(prefix="skbreath-fuzz-")
        for number, seed in enumerate(seeds):
            Path(corpus, f"{number:03}").write_bytes(seed)
        sys.argv.append(corpus)
    # An input that takes ten seconds, or a gigabyte, is a finding too.
    defaults = {"timeout": 10, "rss_limit_mb": 1536, "max_len": 65536}
    given = {argument.split("=")[0] for argument in sys.argv[1:]}
    for name, value in defaults.items():
        if f"-{name}" not in given:
            sys.argv.insert(1, f"-{name}={value}")
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
