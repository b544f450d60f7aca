import io
import logging

import pytest
from rich.console import Console
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from skbreath import WeightedVotingClassifier
from skbreath.utils.progress import StepProgress


def test_counts_the_fits_of_an_estimator():
    X, y = make_classification(60, random_state=0)
    members = [("a", LogisticRegression()), ("b", LogisticRegression(C=0.1))]
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with StepProgress(console) as progress, progress.step("Voting", 8):
        WeightedVotingClassifier(members, weights="learned", cv=3).fit(X, y)
        assert progress.n_done == 8


def test_writes_plain_lines_where_there_is_no_terminal():
    output = io.StringIO()
    with StepProgress(Console(file=output)) as progress:
        with progress.step("Counting", 3) as advance:
            advance(3)
    assert output.getvalue() == "Counting: done (0 s)\n"


def test_failed_step_is_not_done_and_logging_is_as_before():
    output = io.StringIO()
    logger = logging.getLogger("skbreath")
    before = logger.level, list(logger.handlers)
    with pytest.raises(ValueError), StepProgress(Console(file=output)) as progress:
        with progress.step("Failing", 3):
            raise ValueError
    assert "done" not in output.getvalue()
    assert (logger.level, list(logger.handlers)) == before
