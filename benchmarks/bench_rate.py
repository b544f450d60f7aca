"""A breathing rate that can be trusted: right ones, wrong ones, and those not given.

``python -m benchmarks.bench_rate [--folder FOLDER] [--save]``

A rate is right if it is within 2 a minute of the true one. It is given if its
confidence is at least a threshold: the lowest at which at most 5 % of the given rates
are wrong. The threshold of each person, and of each kind of sound, is chosen on all
others, never on what it is reported for; that of ``swapped`` on other people, with
segmenters fitted on nose-20. Intervals (95 %) are from a bootstrap of people. The parts
of the confidence were chosen with all of the data in view; that cycles with an apnoea
are not regular was added after a look at ``swapped``.
"""

import sys
import warnings

import joblib
import numpy as np
import pandas as pd

from benchmarks import harness, rate_data
from skbreath import breath_statistics

TOLERANCE, WRONG = 2.0, 0.05
METHODS = {
    "phases": "rate of the phases, with its confidence",
    "envelope": "autocorrelation of the envelope, with its height",
}


def rate_table(folder, found):
    """True rate, rate and confidence by method, of all recordings of all sets."""
    person, waveforms, _, rates = rate_data.nose_20(folder)
    mic, _, mic_rates = rate_data.nose_mic(folder)
    kinds, sounds = zip(*rate_data.other_sounds(), strict=True)
    nothing = np.full(len(sounds), np.nan)
    data = {
        "people": (person, waveforms, rates),
        "mic": (["mic"] * len(mic), mic, mic_rates),
        "swapped": (person, waveforms, rates),
        "sounds": (kinds, sounds, nothing),
    }
    rows = []
    for name, columns in data.items():
        for group, sound, true, table in zip(*columns, found[name], strict=True):
            duration = len(sound) / rate_data.RATE + 0.05
            summary = breath_statistics(table, duration, min_confidence=0).summary
            given = breath_statistics(table, duration).summary["rate_per_min"]
            rate, confidence = summary[["rate_per_min", "rate_confidence"]]
            if summary["n_breaths"] < 2:
                confidence = 0.0
            by = {
                "phases": (rate, confidence),
                "envelope": rate_data.envelope_rate(sound),
            }
            for method, (rate, confidence) in by.items():
                rows.append((method, name, group, true, rate, confidence, given))
    columns = ["method", "set", "group", "true", "rate", "confidence", "default"]
    table = pd.DataFrame(rows, columns=columns)
    table["right"] = (table["rate"] - table["true"]).abs() <= TOLERANCE
    table.loc[table["rate"].isna(), "confidence"] = -1.0
    return table


def lowest_threshold(confidence, right):
    """The lowest confidence at and above which at most 5 % of the rates are wrong."""
    order = np.argsort(-confidence)
    wrong = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    kept = np.flatnonzero((wrong <= WRONG) & (confidence[order] > 0))
    return confidence[order][kept.max()] if len(kept) else np.inf


def choose_thresholds(table):
    """Whether each rate is given, by a threshold chosen without its group."""
    given = np.zeros(len(table), dtype=bool)
    chosen_on = (table["set"] != "swapped").to_numpy()
    confidence, right = table["confidence"].to_numpy(), table["right"].to_numpy()
    group = table["group"].to_numpy()
    for one in np.unique(group):
        others = chosen_on & (group != one)
        threshold = lowest_threshold(confidence[others], right[others])
        given[group == one] = confidence[group == one] >= threshold
    return given


def shares(table, given):
    """Shares of right rates, of none, and of wrong ones among those given."""
    right = (table["right"] & given).mean()
    wrong = (~table["right"] & given).sum() / max(given.sum(), 1)
    return right, 1 - given.mean(), wrong


def share_row(table, given):
    """Those shares as text, with intervals if there are several people."""
    values = shares(table, given)
    groups = table["group"].unique()
    if len(groups) < 2:
        return [f"{value:.0%}" for value in values]
    rng, drawn = np.random.default_rng(0), []
    places = {one: np.flatnonzero(table["group"] == one) for one in groups}
    for _ in range(1000):
        rows = np.concatenate([places[one] for one in rng.choice(groups, len(groups))])
        drawn.append(shares(table.iloc[rows], given[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return [
        f"{value:.0%} ({a:.0%}..{b:.0%})"
        for value, a, b in zip(values, low, high, strict=True)
    ]


def main():
    options = harness.parser(__doc__)
    options.add_argument("--folder", help="keeps the phases, which take minutes")
    options = options.parse_args()
    folder = harness.data_folder()
    if folder is None:
        sys.exit("no real recordings: set SKBREATH_DATA")
    warnings.simplefilter("ignore", UserWarning)
    found_phases = joblib.Memory(options.folder, verbose=0).cache(
        rate_data.found_phases
    )
    table = rate_table(folder, found_phases(folder))
    report = harness.Report("bench_rate")
    for name, title in rate_data.SETS.items():
        rows = []
        for method, text in METHODS.items():
            of_method = table[table["method"] == method].reset_index(drop=True)
            own = (of_method["set"] == name).to_numpy()
            part = of_method[own].reset_index(drop=True)
            given = choose_thresholds(of_method)[own]
            any_rate = part["rate"].notna().to_numpy()
            rows.append((text, *share_row(part, given)))
            rows.append(("  any confidence", *share_row(part, any_rate)))
        report.table(
            f"{title} ({len(part)} recordings)",
            ("", "within 2 a minute", "no rate", "wrong if given"),
            rows,
        )
    report.line()
    for method in METHODS:
        own = table[(table["method"] == method) & (table["set"] != "swapped")]
        threshold = lowest_threshold(
            own["confidence"].to_numpy(), own["right"].to_numpy()
        )
        report.line(f"threshold of all, {method}: {threshold:.2f}")
    own = table[(table["method"] == "phases") & table["default"].notna()]
    counts = own.groupby("set")["right"].agg(["size", "sum"])
    report.line(
        "with the default of breath_statistics, which was chosen on all of these: "
        + ", ".join(f"{k} {v['sum']} of {v['size']} right" for k, v in counts.T.items())
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
