"""From a cold start to the label of one WAV file, in fresh processes.

``python -m benchmarks.bench_cold_start [--repeats 9] [--save]``
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import joblib

from benchmarks import harness
from skbreath import (
    load_kaggle_breath,
    load_pretrained,
    make_breath_classifier,
    make_breath_sounds,
    save_model,
    write_breath_sounds,
)

STATEMENTS = {
    "import torch, sklearn": "import torch, sklearn",
    "pretrained model, load": "import skbreath; skbreath.load_pretrained()",
    "pretrained model, classify": (
        "import skbreath; skbreath.load_pretrained().predict([{clip!r}])"
    ),
    "load .skb": "import skbreath; skbreath.load_model({skb!r})",
    "load .skb, classify": (
        "import skbreath; skbreath.load_model({skb!r}).predict([{clip!r}])"
    ),
    "load .joblib, classify": (
        "import joblib; joblib.load({pickle!r}).predict([{clip!r}])"
    ),
    "skbreath predict": (
        "import sys; sys.argv = ['skbreath', 'predict', '--model', {skb!r}, {clip!r}]; "
        "from skbreath.cli import main; main()"
    ),
}


def warm_caches(clip):
    """Compile the features, once on a machine, before anything is timed."""
    load_pretrained().predict([clip])


def main():
    options = harness.parser(__doc__).parse_args()
    report = harness.Report("bench_cold_start")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sounds = make_breath_sounds(300, random_state=0)
        clips = load_kaggle_breath(write_breath_sounds(sounds, folder / "data"))
        model = make_breath_classifier(max_epochs=2, cv=2, random_state=0)
        model.fit(clips.paths, clips.target, classifier__groups=clips.recording)
        files = {
            "skb": str(folder / "model.skb"),
            "pickle": str(folder / "model.joblib"),
            "clip": str(clips.paths[0]),
        }
        save_model(model, files["skb"])
        joblib.dump(model, files["pickle"])

        def fresh(statement):
            command = [sys.executable, "-c", statement.format(**files)]
            return lambda: subprocess.run(command, check=True, capture_output=True)

        candidates = {title: fresh(code) for title, code in STATEMENTS.items()}
        warm_caches(files["clip"])
        timings = harness.measure(candidates, repeats=options.repeats)
        sizes = {kind: Path(files[kind]).stat().st_size for kind in ("skb", "pickle")}
    base = timings["import torch, sklearn"]
    rows = [
        (
            title,
            timing.text("wall", 1e3),
            f"{(median(timing.wall) - median(base.wall)) * 1e3:+,.0f}",
            f"{median(more) * 1e3:+,.0f}",
        )
        for title, timing in timings.items()
        for more in [[a - b for a, b in zip(timing.wall, base.wall, strict=True)]]
    ]
    report.table(
        f"Whole process, median (range) of {options.repeats} interleaved repeats",
        ("statement", "wall ms", "more than the first", "in the same round"),
        rows,
    )
    report.line()
    report.line(
        "The default model with two folds, fitted on 300 clips: "
        f".skb {sizes['skb']:,} bytes, .joblib {sizes['pickle']:,} bytes"
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
