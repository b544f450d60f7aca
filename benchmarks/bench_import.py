"""How long ``import skbreath`` takes, in fresh processes.

``python -m benchmarks.bench_import [--repeats 9] [--save]``
"""

import subprocess
import sys

from benchmarks import harness

STATEMENTS = {
    "nothing": "pass",
    "import skbreath": "import skbreath",
    "import skbreath.cli": "import skbreath.cli",
    "import numpy": "import numpy",
    "import sklearn.pipeline": "import sklearn.pipeline",
    "import torch": "import torch",
    "all names of skbreath": (
        "import skbreath\nfor name in skbreath.__all__: getattr(skbreath, name)"
    ),
}


def main():
    options = harness.parser(__doc__).parse_args()
    report = harness.Report("bench_import")

    def fresh(statement):
        return lambda: subprocess.run([sys.executable, "-c", statement], check=True)

    candidates = {name: fresh(code) for name, code in STATEMENTS.items()}
    timings = harness.measure(candidates, repeats=options.repeats)
    rows = [
        (
            name,
            timing.text("wall", 1e3),
            f"{1 / timing.ratio_to(timings['nothing'], 'wall'):.1f}",
        )
        for name, timing in timings.items()
    ]
    report.table(
        f"Whole process, median (range) of {options.repeats} interleaved repeats",
        ("statement", "wall ms", "times the empty process"),
        rows,
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
