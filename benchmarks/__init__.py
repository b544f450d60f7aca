"""Benchmarks, run as ``python -m benchmarks.bench_x``. One thread each.

This file is loaded before any of them imports numpy, so the pools of threads of all
the libraries are told here to stay at one; benchmarks of parallel work ask for their
workers by name.
"""

import os

for _pool in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM", "NUMEXPR"):
    os.environ[f"{_pool}_NUM_THREADS"] = "1"
