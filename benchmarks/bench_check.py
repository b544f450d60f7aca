"""How long `check_dataset` takes on the real clips, and the memory it needs."""

import tracemalloc

from skbreath import check_dataset
from skbreath.data_checks.file_scan import scan_files

from .harness import Report, data_folder, measure, memory_mb, parser


def main():
    options = parser(__doc__, repeats=3).parse_args()
    folder = data_folder()
    if folder is None:
        raise SystemExit("no real recordings (set SKBREATH_DATA)")
    report = Report("bench_check")
    clips, recordings = folder / "kaggle-breath", folder / "nose-mic"
    checked = {str(data.name): check_dataset(data) for data in (clips, recordings)}
    paths = checked[clips.name].clips["path"].tolist()
    timings = measure(
        {
            clips.name: lambda: check_dataset(clips),
            "reading its files alone": lambda: scan_files(paths),
            recordings.name: lambda: check_dataset(recordings),
        },
        repeats=options.repeats,
    )
    report.table(
        "seconds, one thread: median (range)",
        ["data", "files", "CPU", "wall"],
        [
            (
                name,
                len(checked[name].clips) if name in checked else len(paths),
                timing.text("cpu", 1),
                timing.text("wall", 1),
            )
            for name, timing in timings.items()
        ],
    )
    peaks = []
    for some in (paths[:300], paths):
        tracemalloc.start()
        scan_files(some)
        peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
    report.line()
    report.line(
        f"memory of reading 300 files {peaks[0]:.1f} MB, {len(paths)} files "
        f"{peaks[1]:.1f} MB; of the whole process {memory_mb('VmHWM'):.0f} MB"
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
