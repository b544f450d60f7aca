"""What ``skbreath evaluate --report`` is told beside the clips."""

import click


def breakdown_columns(data, frame, group, by):
    """What a report is broken down by: values of each name."""
    names = dict.fromkeys([group, *by])
    if data.suffix.lower() != ".csv":
        names = dict.fromkeys(["recording", "day", *by])
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise click.UsageError(
            f"--by {missing[0]}: there is no such column; {data} has "
            f"{', '.join(map(str, frame.columns))}."
        )
    return {name: frame[name].to_numpy() for name in names}


def refuse_without_report(**options):
    """Refuse what only a report shows, where none is asked for."""
    for name, value in options.items():
        if value:
            option = "--" + name.replace("_", "-")
            raise click.UsageError(
                f"{option} is for the report only: add --report with its file name."
            )


def read_trials(path):
    """Trials of a search, as ``skbreath tune --trials-csv`` writes them."""
    import pandas as pd

    from .._report_numbers import trials_table

    try:
        trials = pd.read_csv(path)
        trials_table(trials)  # now, not after an hour of training
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} holds no trials; `skbreath tune --trials-csv` writes such a file."
        ) from error
    return trials
