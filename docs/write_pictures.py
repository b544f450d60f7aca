"""Draw the pictures of the pages: ``python docs/write_pictures.py``.

They are of synthetic sounds. That of the report page needs the extra "browser" and
Chromium. docs/demo.png is what ``skbreath demo`` draws.
"""

import shutil
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from skbreath import (  # noqa: E402
    PhaseSegmenter,
    PhaseTimelineDisplay,
    evaluate,
    make_breath_classifier,
    make_breath_recording,
    make_breath_sounds,
    report,
)

DOCS = Path(__file__).resolve().parent


def draw_timeline():
    """Draw the phases found in a recording by a segmenter that was fitted on others."""
    first, *others = [
        make_breath_recording(40, pauses=[(16, 7)], random_state=seed)
        for seed in range(4)
    ]
    segmenter = PhaseSegmenter(lag=1.0, random_state=0)
    segmenter.fit([m.waveform for m in others], [m.phases for m in others])
    (phases,) = segmenter.predict([first.waveform])
    display = PhaseTimelineDisplay.from_recording(
        first.waveform, phases, title="A simulated recording with a pause"
    )
    display.figure_.savefig(DOCS / "timeline.png", dpi=80)


def draw_report():
    """Take a picture of the beginning of a report page."""
    from playwright.sync_api import sync_playwright

    sounds = make_breath_sounds(600, n_subjects=30, difficulty=0.7, random_state=0)
    model = make_breath_classifier(preset="fast", max_epochs=8, cv=2, random_state=0)
    clips = (sounds.waveforms, sounds.target, sounds.recording)
    result = evaluate(model, *clips, cv=3, return_estimator=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as driver,
    ):
        page = Path(folder, "report.html")
        title = "Evaluation on synthetic breaths"
        report(result, page, X=sounds.waveforms, title=title)
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        tab = browser.new_page(viewport={"width": 1000, "height": 1150})
        tab.goto(page.as_uri())
        tab.screenshot(path=DOCS / "report.png")
        browser.close()


if __name__ == "__main__":
    draw_timeline()
    draw_report()
