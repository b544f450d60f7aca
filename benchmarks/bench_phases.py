"""Whole recordings to phases: real, strung from real clips, simulated; speed.

``python -m benchmarks.bench_phases [--parts nose chest ...] [--save]``

*nose*: 26 recordings of one person, 13 folds of two, none shared. The options of the
segmenter were chosen by cross-validation on every other recording (in order of name);
the others, never looked at before, are also reported alone. *chest*: strings of real
stethoscope phases; folds share no day. *simulated*: made up, with exact truth.
*people*: the models of the package, fitted on other people, microphones and days.
*speed*: one core; run it on an idle machine.
"""

import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import soundfile
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

from benchmarks import harness, phase_data, phase_people, phase_rivals
from skbreath import (
    BreathFeatures,
    PhaseSegmenter,
    SummaryPooling,
    boundary_errors,
    breath_statistics,
    event_scores,
    make_breath_recording,
    rate_errors,
    segment_scores,
)

PARTS = ("nose", "chest", "simulated", "people", "speed")
CHILD = "--child"
SCORES = ("E 50 %", "I 50 %", "E 80 %", "I 80 %", "E 90 %", "I 90 %")


def event_row(truth, predicted):
    row = []
    for min_iou in (0.5, 0.8, 0.9):
        scores = event_scores(truth, predicted, min_iou=min_iou)["f1"]
        row += [f"{scores.get(label, np.nan):.3f}" for label in "EI"]
    return row


def median_boundary_ms(truth, predicted):
    errors = boundary_errors(truth, predicted)[["start_error_s", "end_error_s"]]
    return 1000 * np.median(np.abs(errors.to_numpy(float)))


def timing_row(truth, predicted):
    rates = np.abs(rate_errors(truth, predicted))
    return [
        f"{median_boundary_ms(truth, predicted):.0f}",
        f"{np.nanmedian(rates):.2f}",
        f"{np.nanmax(rates):.2f}",
    ]


def cross_predict(make, waveforms, tables, n_folds=13):
    """Phases of each recording, from a model fitted to recordings of other folds."""
    predicted = [None] * len(waveforms)
    for fold in range(n_folds):
        test = list(range(fold, len(waveforms), n_folds))
        train = [i for i in range(len(waveforms)) if i not in test]
        model = make().fit([waveforms[i] for i in train], [tables[i] for i in train])
        found = model.predict([waveforms[i] for i in test])
        for i, table in zip(test, found, strict=True):
            predicted[i] = table
    return predicted


def nose(report, folder, quick):
    names, waveforms, tables = phase_data.nose_recordings(folder)
    complete = [i for i, table in enumerate(tables) if phase_data.is_complete(table)]
    fresh = list(range(1, len(names), 2))
    equal = [
        phase_data.equalise(waveform, table)
        for waveform, table in zip(waveforms, tables, strict=True)
    ]

    def segmenter(**params):
        return lambda: PhaseSegmenter(random_state=0, **params)

    candidates = {
        "PhaseSegmenter": (segmenter(), waveforms),
        "  lag 1 s (not online)": (segmenter(lag=1.0), waveforms),
        "  phases at equal level": (segmenter(), equal),
        "  no level at all": (
            segmenter(classifier=phase_rivals.without_level()),
            waveforms,
        ),
        "  level alone": (segmenter(classifier=phase_rivals.level_only()), waveforms),
        "frame-wise boosting": (phase_rivals.FrameBoosting, waveforms),
    }
    found = {}
    for name, (make, sounds) in candidates.items():
        found[name] = cross_predict(make, sounds, tables)
        print(name, "done", file=sys.stderr, flush=True)
    subsets = {
        f"all {len(names)} recordings": range(len(names)),
        f"{len(complete)} with complete labels": complete,
        f"{len(fresh)} that no option was chosen on": fresh,
    }
    for title, rows in subsets.items():
        truth = [tables[i] for i in rows]
        report.table(
            f"Nose microphone, {title}: event F1 at three overlaps, median boundary "
            "error in ms, rate error per minute (median, largest)",
            ("", *SCORES, "ms", "rate", "max"),
            [
                (
                    name,
                    *event_row(truth, [phases[i] for i in rows]),
                    *timing_row(truth, [phases[i] for i in rows]),
                )
                for name, phases in found.items()
            ],
        )
    report.table(
        "What PhaseSegmenter misses at 80 %: the phase, how much of it the best of the "
        "same label covers, and whether the recording has all its labels",
        ("recording", "label", "from", "to", "overlap", "labels"),
        [
            (name, *missed, "complete" if number in complete else "incomplete")
            for number, name in enumerate(names)
            for missed in misses(tables[number], found["PhaseSegmenter"][number])
        ],
    )


def misses(truth, predicted, min_iou=0.8):
    """Phases without a match: label, start, end, best overlap with its label."""
    rows = []
    for phase in truth.itertuples():
        same = predicted[predicted.label == phase.label]
        both = np.minimum(same.end_s, phase.end_s)
        both = both - np.maximum(same.start_s, phase.start_s)
        either = same.end_s - same.start_s + phase.end_s - phase.start_s - both
        best = max([0.0, *(both / either)])
        if best < min_iou:
            times = f"{phase.start_s:.2f}", f"{phase.end_s:.2f}"
            rows.append((phase.label, *times, f"{best:.2f}"))
    return rows


def clip_classifier():
    features = BreathFeatures(groups=("mel",), fmin=50.0, fmax=2000.0, n_mels=40)
    pooling = SummaryPooling(n_bins=8)
    model = HistGradientBoostingClassifier(max_iter=200, random_state=0)
    return make_pipeline(features, pooling, model)


def chest(report, folder, quick):
    table = phase_data.chest_phases(folder)
    truth, found = [], {}
    folds = GroupKFold(3, shuffle=True, random_state=0)
    lengths = [15, 15, 30, 30, 60, 60, 120, 120, 300, 600]
    n_fitting = 18 if quick else 45
    for number, (train, test) in enumerate(folds.split(table, groups=table["day"])):
        if quick and number:
            break
        rng = np.random.default_rng(number)
        train, test = table.iloc[train], table.iloc[test]
        fitting = [phase_data.string_phases(train, 60, rng) for _ in range(n_fitting)]
        testing = [phase_data.string_phases(test, n, rng) for n in lengths]
        sounds = [sound for sound, _ in testing]
        truth += [phases for _, phases in testing]
        clips = np.stack([np.resize(phase, phase_data.RATE) for phase in train.phase])
        classifier = clip_classifier().fit(clips, train.label)
        alone = PhaseSegmenter.from_classifier(classifier, fmax=2000.0)
        options = {"fmax": 2000.0, "random_state": 0}
        models = {
            "PhaseSegmenter": PhaseSegmenter(**options),
            "  lag 0.5 s": PhaseSegmenter(**options, lag=0.5),
            "  with the clip classifier": PhaseSegmenter.from_classifier(
                classifier, **options
            ),
        }
        naive = [phase_rivals.slide_naively(classifier, sound) for sound in sounds]
        results = {
            "clip classifier slid naively": naive,
            "PhaseSegmenter.from_classifier, not fitted": alone.predict(sounds),
        }
        for name, model in models.items():
            model.fit(*map(list, zip(*fitting, strict=True)))
            results[name] = model.predict(sounds)
        for name, tables in results.items():
            found.setdefault(name, []).extend(tables)
        print("fold", number, "done", file=sys.stderr, flush=True)
    rows = []
    for name, tables in found.items():
        events = event_scores(truth, tables)["f1"]
        segments = segment_scores(truth, tables)["f1"]
        rates = np.abs(rate_errors(truth, tables))
        rows.append(
            (
                name,
                *(f"{events[k]:.3f}" for k in "IE"),
                *(f"{segments[k]:.3f}" for k in "IE"),
                f"{median_boundary_ms(truth, tables):.0f}",
                f"{np.nanmedian(rates):.2f}",
            )
        )
    rows.append(("HF_Lung_V1, its Table 5", ".861", ".700", ".801", ".637", "", ""))
    report.table(
        f"Chest: {len(truth)} strings of real phases, 15 s to 10 min, 3 folds by day: "
        "F1 of events (50 % overlap) and of segments, boundary error, rate error",
        ("", "event I", "event E", "segment I", "segment E", "ms", "rate"),
        rows,
    )
    report.line(
        "The published figures are of another, harder task: recordings of patients as "
        "they are."
    )


def _simulate(rng, *, noise=None, pauses=()):
    return make_breath_recording(
        90.0,
        rate=rng.uniform(8, 40),
        ie_ratio=1 / rng.uniform(1, 4),
        pauses=pauses,
        noise=rng.choice([5.0, 10.0, 20.0]) if noise is None else noise,
        random_state=int(rng.integers(2**31)),
    )


def simulated(report, folder, quick):
    rng = np.random.default_rng(0)
    fitting = [
        _simulate(rng, pauses=[(30, rng.uniform(5, 20))] if k % 3 == 0 else ())
        for k in range(12 if quick else 30)
    ]
    n = 6 if quick else 30
    tests = {}
    for noise in (20.0, 10.0, 5.0):
        made = [_simulate(rng, noise=noise) for _ in range(n)]
        tests[noise] = (
            made,
            [_simulate(rng, noise=noise, pauses=[(40, 10.5)]) for _ in range(n)],
        )
    rows = []
    for name, lag in (("online, lag 0.1 s", 0.1), ("recordings, lag 1 s", 1.0)):
        segmenter = PhaseSegmenter(fmax=2000.0, lag=lag, random_state=0)
        segmenter.fit([m.waveform for m in fitting], [m.phases for m in fitting])
        print(name, "weight", segmenter.emission_weight_, file=sys.stderr, flush=True)
        for noise, (made, still) in tests.items():
            rows.append(
                (
                    name,
                    f"{noise:g} dB",
                    *_timing_row(segmenter, made),
                    *_apnoea_row(segmenter, still),
                )
            )
    report.table(
        f"Simulated: {n} recordings of 90 s, 8 to 40 breaths a minute, I:E 1:1 to 1:4; "
        "rate error (median, 90 %, largest; recordings above 2 %), event F1, boundary "
        "error in ms; apnoeas of 10.5 s found in as many more, and false ones",
        (
            "",
            "noise",
            *("rate", "90 %", "max", "> 2 %"),
            *(*SCORES[:4], "ms", "apnoeas", "false"),
        ),
        rows,
    )


def _timing_row(segmenter, made):
    found = segmenter.predict([m.waveform for m in made])
    truth = [m.phases for m in made]
    rates = [breath_statistics(t).summary["rate_per_min"] for t in truth]
    errors = np.abs(rate_errors(truth, found)) / rates
    errors = np.where(np.isnan(errors), 1.0, errors)  # too little found to tell
    return (
        f"{np.median(errors):.2%}",
        f"{np.percentile(errors, 90):.2%}",
        f"{np.max(errors):.2%}",
        int(np.sum(errors > 0.02)),
        *event_row(truth, found)[:4],
        f"{median_boundary_ms(truth, found):.0f}",
    )


def _apnoea_row(segmenter, still):
    tables = segmenter.predict([m.waveform for m in still])
    # Half a second either way is what the ends of a phase may fade by.
    heard = [breath_statistics(t, 90.0, apnoea_s=9.5).pauses for t in tables]
    hits = [
        _overlaps(p[p.is_apnoea], m.pauses[0])
        for p, m in zip(heard, still, strict=True)
    ]
    n_false = sum(int(p.is_apnoea.sum()) for p in heard) - sum(hits)
    return f"{sum(hits)}/{len(still)}", n_false


def _overlaps(pauses, span):
    both = np.minimum(pauses.end_s, span[1]) - np.maximum(pauses.start_s, span[0])
    return int((both > 0.5 * (span[1] - span[0])).any())


def stream_file(model_path, path):
    """In a process of its own: predict a long file; print seconds and peak memory."""
    segmenter = joblib.load(model_path)
    segmenter.predict([np.random.default_rng(0).normal(size=32000) * 0.01])
    began = time.perf_counter()
    (phases,) = segmenter.predict([path])
    seconds = time.perf_counter() - began
    print(seconds, harness.memory_mb("VmHWM"), len(phases))


def speed(report, folder, quick):
    names, waveforms, tables = phase_data.nose_recordings(folder)
    segmenter = PhaseSegmenter(random_state=0).fit(waveforms, tables)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary, "model.joblib")
        joblib.dump(segmenter, model)
        for rate, hours in ((16000, 0.5), (16000, 3), (44100, 3)):
            path = Path(temporary, "long.wav")
            _write_long(path, folder, rate, hours)
            command = [sys.executable, "-m", "benchmarks.bench_phases", CHILD]
            command += [str(model), str(path)]
            output = subprocess.run(
                command, check=True, capture_output=True, text=True, encoding="utf-8"
            ).stdout
            seconds, peak, n = map(float, output.split()[-3:])
            rows.append(
                (
                    f"{hours:g} h at {rate} Hz",
                    f"{seconds:.1f}",
                    f"{hours * 3600 / seconds:,.0f}",
                    f"{peak:.0f}",
                    f"{n:.0f}",
                )
            )
    report.table(
        "A long file, one thread, a process of its own",
        ("", "seconds", "times real time", "peak MB", "phases"),
        rows,
    )
    sound = waveforms[0]
    rows = []
    for size in (160, 512, 1600):
        stream, costs, delays = segmenter.partial(), [], []
        for first in range(0, len(sound), size):
            began = time.perf_counter()
            phases = stream.push(sound[first : first + size])
            costs.append(time.perf_counter() - began)
            heard = min(first + size, len(sound)) / phase_data.RATE
            delays += [heard - end for end in phases.end_s]
        rest = stream.finish()
        rows.append(
            (
                f"{1000 * size / phase_data.RATE:.0f} ms",
                f"{1000 * np.median(costs):.1f}",
                f"{1000 * np.percentile(costs, 99):.1f}",
                f"{max(delays):.3f}",
                len(delays) + len(rest),
            )
        )
    report.table(
        f"Online, latency stated as {segmenter.latency_:.3f} s: cost of a block in ms "
        "(median, 99 %), and longest time from the end of a phase until it was told",
        ("block", "ms", "p99", "delay s", "phases"),
        rows,
    )


def _write_long(path, folder, rate, hours):
    import soxr

    sounds = [soundfile.read(f, dtype="float32")[0] for f in _nose_files(folder)]
    if rate != 44100:
        sounds = [soxr.resample(sound, 44100, rate) for sound in sounds]
    wanted = round(hours * 3600 * rate)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as out:
        number = 0
        while wanted > 0:
            sound = sounds[number % len(sounds)][:wanted]
            out.write(sound)
            wanted -= len(sound)
            number += 1


def _nose_files(folder):
    return sorted((folder / "nose-mic").glob("*.wav"))


def main():
    options = harness.parser(__doc__)
    options.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options.add_argument(
        "--quick", action="store_true", help="a part of the data, one fold; not kept"
    )
    options = options.parse_args()
    if options.quick and options.save:
        sys.exit("--quick is for a look; results that are kept need all the data")
    folder = harness.data_folder()
    if folder is None:
        sys.exit("no real recordings: set SKBREATH_DATA")
    warnings.simplefilter("ignore", UserWarning)
    for part in options.parts:
        report = harness.Report("bench_phases")
        report.name = f"bench_phases_{part}"
        measure = phase_people.people if part == "people" else globals()[part]
        measure(report, folder, options.quick)
        if options.save:
            report.save()


if __name__ == "__main__":
    if CHILD in sys.argv:
        stream_file(sys.argv[2], sys.argv[3])
    else:
        main()
