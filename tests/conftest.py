"""Fixtures shared by all tests: threads, real data, small synthetic data."""

import os
import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_configure(config):
    # Small nets on small batches: threads only fight each other here, and the
    # scikit-learn check suite is many times slower with more than one.
    import torch

    torch.set_num_threads(1)


def pytest_xdist_auto_num_workers(config):
    """Use all cores for the whole suite; for a part, starting them takes longer."""
    whole = config.args == config.getini("testpaths")
    return os.cpu_count() if whole else 0


def pytest_collection_modifyitems(config, items):
    if os.environ.get("CI") == "true" or "slow" in config.getoption("-m"):
        return
    skip = pytest.mark.skip(reason="slow: runs in CI or with -m slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real recordings; the test is skipped where they are absent."""
    folder = Path(os.environ.get("SKBREATH_DATA", REPOSITORY.parent / "shared/data"))
    if not (folder / "kaggle-breath" / "train.csv").is_file():
        pytest.skip(f"no real recordings at {folder} (set SKBREATH_DATA)")
    return folder


@pytest.fixture(scope="session")
def breath_folder(tmp_path_factory):
    """A small synthetic data set in the layout of the competition; do not change."""
    from skbreath import make_breath_sounds, write_breath_sounds

    folder = tmp_path_factory.mktemp("breaths") / "data"
    sounds = make_breath_sounds(96, n_subjects=16, difficulty=0.2, random_state=0)
    write_breath_sounds(sounds, folder)
    return folder


@pytest.fixture(scope="session")
def launch_chromium():
    """Return a function that starts Chromium with arguments; skipped without it."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = os.environ.get("SKBREATH_CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium (set SKBREATH_CHROMIUM to its path)")
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    common = ["--disable-gpu"] + ["--no-sandbox"] * as_root
    with playwright.sync_playwright() as driver:

        def launch(*arguments):
            return driver.chromium.launch(
                executable_path=program, args=[*common, *arguments]
            )

        yield launch


# Run by hand, with the lowest and the highest version of scikit-learn.
collect_ignore = ["model_files/make.py"]
