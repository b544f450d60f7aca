"""Take the picture of docs/live.md: ``python docs/write_monitor_picture.py``.

Needs the extras "monitor" and "browser", and Chromium, which plays a simulated
recording as its microphone.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile
from playwright.sync_api import sync_playwright

from skbreath import PhaseSegmenter, make_breath_recording, save_model

PICTURE = Path(__file__).with_name("monitor.png")


def main():
    """Train a model, run the monitor, and take a picture after 19 s of breathing."""
    made = [make_breath_recording(40, random_state=seed) for seed in range(4)]
    heard = make_breath_recording(30, random_state=1)
    segmenter = PhaseSegmenter(random_state=0)
    segmenter.fit([one.waveform for one in made], [one.phases for one in made])
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        model, sound = Path(folder, "live.skb"), Path(folder, "breath.wav")
        save_model(segmenter, model)
        soundfile.write(sound, heard.waveform, heard.sample_rate)
        command = [sys.executable, "-m", "skbreath", "monitor", "--port", "0"]
        command += ["--no-browser", "--model", str(model)]
        server = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        try:
            browser = driver.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=[
                    "--no-sandbox",
                    "--use-fake-ui-for-media-stream",
                    "--use-fake-device-for-media-stream",
                    f"--use-file-for-fake-audio-capture={sound}%noloop",
                ],
            )
            page = browser.new_page(viewport={"width": 1000, "height": 850})
            page.goto(re.search(r"http://\S+", server.stdout.readline())[0])
            page.get_by_role("button", name="Start microphone").click()
            wanted = page.locator(
                "#view:is([aria-label$='0:19'], [aria-label*=' 0:2'])"
            )
            wanted.wait_for(timeout=120_000)
            page.screenshot(path=PICTURE)
            browser.close()
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
