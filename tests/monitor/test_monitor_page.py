"""The page of ``skbreath monitor`` in a browser with a microphone that plays a file."""

import json
import os
import re
import signal

import numpy as np
import pytest
from click.testing import CliRunner

from skbreath import read_label_track
from skbreath.cli import main

pytest.importorskip("uvicorn", reason='needs the extra "monitor"')
expect = pytest.importorskip("playwright.sync_api").expect

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser(launch_chromium, recording):
    browser = launch_chromium(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={recording}%noloop",
    )
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def monitor(start_monitor, live_model):
    with start_monitor(live_model) as (process, port):
        yield process, f"http://127.0.0.1:{port}/"


@pytest.fixture
def visit(browser):
    """Open the page; check at the end that it was quiet and asked only its server."""
    seen, contexts = [], []

    def visit(address, browser=browser, quiet=True, **settings):
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        if quiet:
            page.on("console", lambda message: seen.append(message.text))
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())

        own = re.compile(r"(blob:http|http|ws)://(127\.0\.0\.1|localhost):")

        def note(asked):
            if not own.match(asked.url):
                seen.append(asked.url)

        page.on("request", note)
        page.on("websocket", note)
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert seen == []


def wait_for_second(page, second):
    """Wait until the page has sound until a second of the first minute."""
    seconds = "|".join(f"{n:02}" for n in range(second, 60))
    name = re.compile(rf"phases in (0:({seconds})|[1-9]:\d\d)$")
    expect(page.locator("#view")).to_have_attribute("aria-label", name, timeout=60_000)


def download(page, button, path):
    with page.expect_download() as got:
        page.get_by_role("button", name=button, exact=True).click()
    got.value.save_as(path)
    return path


def stop(page):
    page.get_by_role("button", name="Stop").click()
    start = page.get_by_role("button", name="Start microphone")
    expect(start).to_be_visible(timeout=60_000)


def annotate(file, model, *options):
    command = ["annotate", str(file), "--model", str(model), "--json", *options]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["recordings"][0]


def rows(annotated):
    return [(p["start_s"], p["end_s"], p["label"]) for p in annotated["phases"]]


def track(path):
    return list(read_label_track(path)[["start_s", "end_s", "label"]].itertuples(False))


def test_microphone_to_phases_rate_alarm_and_downloads(
    visit, monitor, live_model, recording, tmp_path
):
    page = visit(monitor[1])
    page.get_by_label("Pause before the alarm, in seconds").fill("3")
    page.get_by_role("button", name="Start microphone").click()
    expect(page.locator("#status")).to_have_text("Listening.")
    expect(
        page.get_by_role("alert").filter(has_text="No breath for 3 s")
    ).to_be_visible(timeout=30_000)
    expect(page).to_have_title("⚠ No breath")
    expect(page.locator("#now")).to_have_text("Pause")
    expect(page.locator("#alarm")).to_be_hidden(timeout=10_000)
    expect(page.locator("#now")).to_have_text(re.compile("Inhale|Exhale"))
    wait_for_second(page, 22)
    expect(page.locator("#rate")).to_have_text(re.compile(r"\d\d\.\d"))
    stop(page)
    expect(page.locator("#player")).to_be_visible()
    labels = track(download(page, "Labels", tmp_path / "labels.txt"))
    sound = download(page, "Recording", tmp_path / "sound.wav")
    expect(page.locator("#problem")).to_be_hidden()
    # The page has exactly the phases of the sound that it recorded,
    heard = annotate(sound, live_model)
    assert labels == rows(heard)
    # and these are those of the file, which began a little before the page listened.
    wanted = rows(annotate(recording, live_model))[1:-1]
    found = labels[-len(wanted) - 1 : -1]
    assert [label for *_, label in found] == [label for *_, label in wanted]
    late = np.array([row[:2] for row in wanted]) - np.array([row[:2] for row in found])
    assert -0.1 < np.median(late) < 1
    assert np.abs(late - np.median(late)).max() < 0.1
    longest = heard["statistics"]["longest_pause_s"]
    expect(page.locator("#longest")).to_have_text(f"{longest:.1f} s")


def test_file_has_the_labels_of_annotate(
    visit, monitor, live_model, recording, tmp_path
):
    page = visit(monitor[1])
    page.locator("#file").set_input_files(recording)
    expect(page.locator("#status")).to_contain_text("phases in 0:20")
    path = tmp_path / "wanted.txt"
    wanted = annotate(recording, live_model, "--out", str(path))
    found = download(page, "Labels", tmp_path / "found.txt")
    assert found.read_bytes() == path.read_bytes()
    statistics = wanted["statistics"]
    expect(page.locator("#rate")).to_have_text(f"{statistics['rate_per_min']:.1f}")
    ratio = f"1 : {1 / statistics['ie_ratio']:.1f}"
    expect(page.locator("#ratio")).to_have_text(ratio)
    longest = f"{statistics['longest_pause_s']:.1f} s"
    expect(page.locator("#longest")).to_have_text(longest)
    page.get_by_text("Phases as a table").click()
    expect(page.locator("#rows tr")).to_have_count(len(wanted["phases"]))
    expect(page.get_by_role("button", name="Recording", exact=True)).to_be_disabled()
    # A file that is not sound.
    page.locator("#file").set_input_files(path)
    expect(page.locator("#problem")).to_contain_text("wanted.txt is not readable")


def test_lost_server_and_reload_are_shown(
    visit, start_monitor, live_model, recording, tmp_path
):
    with start_monitor(live_model) as (process, port):
        # The browser itself complains about connections that fail.
        page = visit(f"http://127.0.0.1:{port}/", quiet=False)
        page.get_by_role("button", name="Start microphone").click()
        wait_for_second(page, 5)
        process.kill()
        expect(page.locator("#problem")).to_contain_text("is lost")
        process.wait()
    with start_monitor(live_model, port):
        expect(page.locator("#problem")).not_to_contain_text("is lost", timeout=120_000)
        wait_for_second(page, 19)
        stop(page)
        labels = track(download(page, "Labels", tmp_path / "labels.txt"))
        sound = download(page, "Recording", tmp_path / "sound.wav")
        # Before and after the loss all is in time; the new stream begins there.
        wanted = rows(annotate(sound, live_model))
        same = [row for row in wanted if find_near(row, labels)]
        assert len(wanted) - 2 <= len(same) and len(labels) <= len(wanted) + 1
        page.reload()
        expect(page.locator("#status")).to_contain_text("was loaded again")
        kept = track(download(page, "Labels", tmp_path / "kept.txt"))
        assert kept == labels
        page.get_by_role("button", name="Start microphone").click()
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        wait_for_second(page, 3)
        page.reload()
        expect(page.locator("#problem")).to_contain_text("its sound is not")


def find_near(row, labels):
    return any(
        row[2] == label and abs(row[0] - start) < 0.1 and abs(row[1] - end) < 0.1
        for start, end, label in labels
    )


def test_page_without_a_server_says_so(visit, start_monitor, live_model):
    with start_monitor(live_model) as (_, port):
        page = visit(f"http://127.0.0.1:{port}/", quiet=False)
        page.goto("about:blank")
        page.goto(f"http://127.0.0.1:{port}/")
    page.get_by_role("button", name="Open a recording").focus()
    file = {"name": "a.wav", "mimeType": "audio/wav", "buffer": b"RIFF"}
    page.locator("#file").set_input_files(file)
    expect(page.locator("#problem")).to_contain_text("skbreath does not answer")


def test_denied_microphone_is_shown(visit, monitor, launch_chromium):
    browser = launch_chromium("--use-fake-device-for-media-stream")
    page = visit(monitor[1], browser)
    page.get_by_role("button", name="Start microphone").click()
    expect(page.locator("#problem")).to_contain_text("does not allow the microphone")
    expect(page.get_by_role("button", name="Start microphone")).to_be_enabled()
    browser.close()


@pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP")
def test_overload_is_shown_and_drops_nothing(visit, monitor, live_model, tmp_path):
    process, address = monitor
    page = visit(address)
    page.get_by_role("button", name="Start microphone").click()
    wait_for_second(page, 2)
    process.send_signal(signal.SIGSTOP)
    try:
        expect(page.locator("#problem")).to_contain_text("is too slow", timeout=20_000)
    finally:
        process.send_signal(signal.SIGCONT)
    expect(page.locator("#problem")).to_be_hidden(timeout=60_000)
    stop(page)
    labels = track(download(page, "Labels", tmp_path / "labels.txt"))
    sound = download(page, "Recording", tmp_path / "sound.wav")
    assert labels == rows(annotate(sound, live_model))


def test_page_fits_a_phone_and_works_by_keyboard(visit, monitor, recording):
    page = visit(monitor[1], viewport={"width": 390, "height": 844})
    page.locator("#file").set_input_files(recording)
    expect(page.locator("#status")).to_contain_text("phases in 0:20")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    scroll = page.get_by_role("slider", name="Position")
    assert scroll.input_value() == "0"
    page.locator("#view").focus()
    page.keyboard.press("ArrowRight")
    expect(scroll).to_have_value("2.5")
    page.keyboard.press("End")
    expect(scroll).to_have_value("10")
    page.keyboard.press("-")
    expect(scroll).to_be_hidden()
    # Every control can be reached, and has a name.
    page.keyboard.press("Shift+Tab")
    names = {"Start microphone", "Open a recording"}
    assert page.evaluate("document.activeElement.textContent") in names
    for control in page.locator("button:visible, input:visible, canvas").all():
        described = control.aria_snapshot()
        assert re.search(r'"[^"]+"', described), described


def test_other_page_cannot_listen(visit, monitor):
    """A page of another origin in the same browser gets no stream."""
    page = visit(monitor[1].replace("127.0.0.1", "localhost"), quiet=False)
    port = re.search(r":(\d+)/", monitor[1])[1]
    opened = page.evaluate(
        f"""() => new Promise((done) => {{
            const stream = new WebSocket("ws://127.0.0.1:{port}/stream");
            stream.onopen = () => done(true); stream.onclose = () => done(false);
        }})"""
    )
    assert not opened
