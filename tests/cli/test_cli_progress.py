"""Progress on standard error: bars on a terminal, lines elsewhere."""

import re

import pytest
from click.testing import CliRunner

from skbreath.cli import main


@pytest.fixture
def train(breath_folder, tmp_path):
    def train(*options, **environment):
        command = ["train", str(breath_folder), "--out", str(tmp_path / "model.skb")]
        command += ["--preset", "fast", "--max-epochs", "1", *options]
        return CliRunner(env=environment).invoke(main, command)

    return train


def test_bars_on_a_terminal_count_all_fits(train):
    result = train(TTY_COMPATIBLE="1", COLUMNS="100")
    assert result.exit_code == 0, result.output
    counts = re.findall(r"(\d+)/(\d+)", result.stderr)
    assert counts and counts[-1][0] == counts[-1][1] != "1"
    assert max(int(done) for done, _ in counts[:-1]) > 0  # it advances meanwhile


def test_one_line_for_each_finished_step_elsewhere(train):
    result = train()
    assert result.exit_code == 0, result.output
    assert re.search(r"^Training.*: done \(\d+ s\)$", result.stderr, re.MULTILINE)
    failed = train("--pos-label", "X")
    assert failed.exit_code == 2
    assert "done" not in failed.stderr
