"""Test the report page in a browser, Chromium with Playwright."""

import numpy as np
import pytest
from report_pages import (
    IMAGE,
    SCRIPT,
    evaluated,
    model,
    network,
    sounds,
    trained,
    trials,
    write_clips,
)
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
)

from skbreath import evaluate, report


@pytest.fixture(scope="module")
def browser(launch_chromium):
    browser = launch_chromium()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    made = sounds()
    path = tmp_path_factory.mktemp("ordinary") / "report.html"
    report(
        *(evaluated(), path),
        X=made.waveforms,
        search=trials(),
        breakdowns={"recording": made.recording, "subject": made.subject},
        n_errors=4,
    )
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    paths, target = write_clips(folder, [SCRIPT, f"</script>{IMAGE}"])
    groups = np.array([f"{SCRIPT}{g}" for g in sounds().recording])
    result = evaluate(
        *(model().set_params(classifier__pos_label=SCRIPT), paths, target, groups),
        cv=2,
        pos_label=SCRIPT,
        n_resamples=10,
        return_estimator=True,
    )
    report(
        *(result, folder / "report.html"),
        X=paths,
        search=trials(SCRIPT),
        breakdowns={IMAGE: groups},
        title=SCRIPT + "\u202ebackwards",
        n_errors=2,
    )
    return folder / "report.html"


@pytest.fixture(scope="module")
def with_networks(tmp_path_factory):
    """Write a page of models with networks, one of a hostile name."""
    path = tmp_path_factory.mktemp("networks") / "report.html"
    report(trained(), path)
    return path


@pytest.fixture(scope="module")
def open_page(browser):
    """Open a page once; record its errors and requests."""
    opened = {}

    def open_page(path):
        if path not in opened:
            page, complaints = browser.new_page(), []
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda request: complaints.append(request.url[:200]))
            page.goto(path.as_uri())
            opened[path] = page, complaints
        return opened[path]

    yield open_page
    for page, _ in opened.values():
        page.close()


@pytest.fixture
def visit(open_page):
    """Reset a page; afterwards check that it had no errors and sent no requests."""
    seen = []

    def visit(path):
        page, complaints = open_page(path)
        seen.append((path, complaints))
        page.set_viewport_size({"width": 1200, "height": 800})
        page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
        page.click("#as-trained")
        return page

    yield visit
    for path, complaints in seen:
        allowed = ("data:", path.as_uri())
        assert [text for text in complaints if not text.startswith(allowed)] == []


def shown(page):
    """Get the counts and scores that the page shows."""
    counts = {
        key: int(page.inner_text(f"#{key} b").replace(",", ""))
        for key in ("tp", "fn", "fp", "tn")
    }
    names = ["accuracy", "balanced_accuracy", "f1", "precision", "recall"]
    return counts, {name: page.inner_text(f"#m-{name}") for name in names}


def assert_computed(page, threshold):
    """Check that the page shows the scores that scikit-learn computes."""
    frame = evaluated().predictions
    truth = (frame["y_true"] == "I").to_numpy()
    called = (frame["y_score"] >= threshold).to_numpy()
    counts, scores = shown(page)
    tn, fp, fn, tp = confusion_matrix(truth, called).ravel().tolist()
    assert counts == {"tp": tp, "fn": fn, "fp": fp, "tn": tn}
    expected = {
        "accuracy": accuracy_score(truth, called),
        "balanced_accuracy": balanced_accuracy_score(truth, called),
        "f1": f1_score(truth, called),
        "recall": recall_score(truth, called),
    }
    if called.any():
        expected["precision"] = precision_score(truth, called)
    else:
        assert scores["precision"] == "–"
    for name, value in expected.items():
        assert float(scores[name]) == pytest.approx(value, abs=0.000501), name
    return counts


def test_slider_starts_where_the_models_put_it(visit, ordinary):
    page = visit(ordinary)
    start = np.median([m["classifier"].best_threshold_ for m in evaluated().estimator])
    assert_computed(page, start)
    assert page.input_value("#exact") == f"{start:.3f}"


def test_moving_the_slider_gives_what_python_computes(visit, ordinary):
    page = visit(ordinary)
    tables = []
    for threshold in ("0", "0.2", "0.435", "0.5", "0.81", "1"):
        page.locator("#slider").fill(threshold)
        assert float(page.input_value("#exact")) == float(threshold)
        tables.append(tuple(assert_computed(page, float(threshold)).values()))
    assert len(set(tables)) > 3


def test_threshold_can_be_typed(visit, ordinary):
    page = visit(ordinary)
    page.fill("#exact", "0.437")
    before = assert_computed(page, 0.437)
    page.fill("#exact", "7")  # out of range: nothing happens
    assert shown(page)[0] == before


def test_scores_of_clips_are_compared_to_the_last_bit(visit, ordinary):
    page = visit(ordinary)
    score = float(evaluated().predictions["y_score"].iloc[7])
    page.evaluate("document.querySelector('#exact').step = 'any'")
    page.fill("#exact", repr(score))
    assert_computed(page, score)
    page.fill("#exact", repr(float(np.nextafter(score, 1))))
    assert_computed(page, np.nextafter(score, 1))


def test_best_thresholds_are_the_best(visit, ordinary):
    page = visit(ordinary)
    frame = evaluated().predictions
    truth = frame["y_true"] == "I"
    for button, metric in (("accuracy", accuracy_score), ("f1", f1_score)):
        page.click(f"#best-{button}")
        best = max(metric(truth, frame["y_score"] >= t) for t in frame["y_score"])
        assert float(shown(page)[1][button]) == pytest.approx(best, abs=0.000501)
    page.click("#as-trained")
    start = np.median([m["classifier"].best_threshold_ for m in evaluated().estimator])
    assert_computed(page, start)


def test_page_works_with_the_keyboard_alone(visit, ordinary):
    page = visit(ordinary)
    page.reload()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").startswith("Skip")
    page.keyboard.press("Enter")
    assert page.url.endswith("#summary")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "slider":
            break
    page.keyboard.press("Home")
    assert_computed(page, 0.0)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert_computed(page, float(page.input_value("#slider")))
    assert float(page.input_value("#slider")) == pytest.approx(0.015)
    assert "accuracy" in page.get_attribute("#slider", "aria-valuetext")
    page.keyboard.press("End")
    assert_computed(page, 1.0)
    assert page.get_attribute("#spoken", "aria-live") == "polite"
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")  # the first button
    assert page.input_value("#exact") != "1.000"


def test_tables_sort_by_any_column(visit, ordinary):
    page = visit(ordinary)
    column = page.locator("#by-1 tbody td:nth-child(2)")
    head = page.locator("#by-1 th:nth-child(2) button")
    head.focus()
    page.keyboard.press("Enter")
    clips = [int(text) for text in column.all_inner_texts()]
    assert clips == sorted(clips) and len(clips) == len(set(sounds().subject))
    page.keyboard.press("Enter")
    assert [int(text) for text in column.all_inner_texts()] == clips[::-1]
    assert head.locator("..").get_attribute("aria-sort") == "descending"
    page.click("#trials th:nth-child(2) button")  # unknown ones last
    assert page.locator("#trials tbody td:nth-child(2)").last.inner_text() == "–"


# The policy of the page forbids the `eval` behind `page.wait_for_function`.
UNTIL = """(condition) => new Promise((resolve, reject) => {
  const give_up = setTimeout(() => reject(new Error("in vain: " + condition)), 20000);
  const conditions = {
    known: () => [...document.querySelectorAll("audio")].every((a) => a.readyState),
    playing: () => document.querySelector("audio").currentTime > 0.02,
    moving: () => document.querySelectorAll(".playhead")[1].getAttribute("x1") > 34,
  };
  const look = () => {
    if (!conditions[condition]()) return requestAnimationFrame(look);
    clearTimeout(give_up);
    resolve();
  };
  look();
})"""


def test_errors_can_be_heard_one_at_a_time(visit, ordinary):
    page = visit(ordinary)
    players = page.locator("audio")
    assert players.count() == 4
    page.evaluate(UNTIL, "known")
    lengths = players.evaluate_all("all => all.map(a => a.duration)")
    assert lengths == pytest.approx([1.0] * 4, abs=0.01)
    players.nth(0).focus()
    page.keyboard.press("Space")
    page.evaluate(UNTIL, "playing")
    players.nth(1).evaluate("player => player.play()")  # resolves once it plays
    assert players.nth(0).evaluate("player => player.paused")
    page.evaluate(UNTIL, "moving")


@pytest.mark.parametrize("kind", ["ordinary", "hostile", "with_networks"])
def test_nothing_is_wider_than_a_phone(visit, request, kind):
    page = visit(request.getfixturevalue(kind))
    for width in (320, 390, 768, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#slider").bounding_box()["width"] > 0.4 * min(width, 500)


def test_long_names_leave_room_for_all_columns(visit, ordinary):
    page = visit(ordinary)
    page.set_viewport_size({"width": 1280, "height": 700})
    names = page.locator("#by-0 tbody th bdi")
    name = "26_02_2024_10_12_13_recording_of_a_patient-left-lower-lobe"
    names.evaluate_all("(all, name) => all.forEach(a => (a.textContent = name))", name)
    hidden = "box => box.scrollWidth - box.clientWidth"
    assert page.locator("#by-0 .tall").evaluate(hidden) == 0
    # Short names are not broken.
    names.evaluate_all("all => all.forEach(a => (a.textContent = '2024-02-26'))")
    assert names.first.bounding_box()["height"] < 30


POINTS = """(path) => path.getAttribute("d").split(/[ML]/).slice(1).map(
  (point) => point.split(" ").map(Number))"""


def test_learning_curves_are_drawn(visit, with_networks):
    page = visit(with_networks)
    assert page.locator("nav a", has_text="Training").count() == 1
    net, other = page.locator("#training figure").all()
    assert net.locator("path.faint").count() == 4  # two networks, two losses
    assert net.locator("path:not(.faint)").count() == 2  # their means
    assert net.locator("circle").count() == 2  # lowest validation losses
    assert other.locator("path.faint").count() == 2
    assert other.locator("path:not(.faint)").count() == 1
    assert other.locator("circle").count() == 0
    # Lower on the page is a lower loss, and what comes later is further right.
    histories = [
        vote.named_estimators_[SCRIPT][-1].history_ for vote in trained().estimator
    ]
    mean = np.mean([[e["train_loss"] for e in h] for h in histories], axis=0)
    x, y = np.transpose(other.locator("path:not(.faint)").evaluate(POINTS))
    assert (np.diff(x) > 0).all() and len(x) == 5
    assert np.corrcoef(y, mean)[0, 1] == pytest.approx(-1, abs=1e-3)
    assert "epoch" in net.locator("svg").inner_html()
    assert page.evaluate("window.broken") is None
    assert SCRIPT in other.locator("figcaption").inner_text()


def test_the_one_epoch_of_a_network_is_a_dot(visit, tmp_path):
    made = sounds()
    net = network(1, early_stopping=False).fit(made.waveforms, made.target)
    path = tmp_path / "report.html"
    report(evaluated(), path, X=made.waveforms, model=net)
    chart = visit(path).locator("#training figure")
    assert chart.locator("path").count() == 0
    dots = chart.locator("circle.pos-fill")
    assert dots.count() == 2  # the network and the mean over it
    for dot in dots.all():
        assert dot.evaluate("dot => getComputedStyle(dot).fill") != "none"
        assert dot.bounding_box()["width"] > 4


CONTRAST = """(names) => {
  const parse = (text) => {
    const probe = document.createElement('i');
    probe.style.color = `var(${text})`;
    document.body.append(probe);
    const parts = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3);
    probe.remove();
    const [r, g, b] = parts.map((v) => v / 255).map(
      (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [one, other] = names.map(parse).sort((a, b) => b - a);
  return (one + 0.05) / (other + 0.05);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(visit, ordinary, scheme):
    page = visit(ordinary)
    page.emulate_media(color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 23, 28)"}[scheme]
    for below in ("--paper", "--card"):
        for ink, least in (("--ink", 7), ("--soft", 4.5), ("--pos", 4), ("--neg", 4)):
            assert page.evaluate(CONTRAST, [ink, below]) > least, (ink, below)


def test_hostile_names_and_labels_do_nothing(visit, hostile):
    page = visit(hostile)
    assert page.evaluate("window.broken") is None
    assert page.locator("img").count() == 0 and page.locator("script").count() == 2
    assert page.title().startswith(SCRIPT)
    assert page.inner_text(".confusion thead th").startswith(f"called {SCRIPT}")
    assert "script><img src=x" in page.inner_text(".card h3 >> nth=0")
    page.locator("#slider").fill("0.4")
    assert SCRIPT in page.inner_text("#spoken")
    page.locator("audio").first.evaluate("player => player.play()")
    for button in page.locator("th button").all():
        button.click()
    assert page.evaluate("window.broken") is None


def test_policy_stops_whatever_would_go_out(browser, ordinary):
    page = browser.new_page()  # of its own: it complains
    page.goto(ordinary.as_uri())
    stopped = page.evaluate("""() => new Promise((resolve) => {
      const seen = [];
      document.addEventListener('securitypolicyviolation', (event) => {
        seen.push(event.effectiveDirective);
        if (seen.length === 3) resolve(seen.sort());
      });
      new Image().src = 'https://example.org/a';
      document.body.append(Object.assign(
        document.createElement('script'), { textContent: 'window.broken = 1' }));
      fetch('https://example.org/b').catch(() => {});
    })""")
    assert stopped == ["connect-src", "img-src", "script-src-elem"]
    assert page.evaluate("window.broken") is None
    page.close()


def test_page_without_sound_or_models_works_too(visit, tmp_path):
    made = sounds()
    bare = evaluate(
        *(model().set_params(classifier__pos_label=1), made.waveforms),
        np.where(made.target == "I", 1, 0),
        cv=2,
        pos_label=1,
        n_resamples=10,
    )
    path = tmp_path / "report.html"
    report(bare, path)
    page = visit(path)
    assert page.input_value("#slider") == "0.5"
    truth = bare.predictions["y_true"] == 1
    expected = accuracy_score(truth, bare.predictions["y_score"] >= 0.5)
    assert float(page.inner_text("#m-accuracy")) == pytest.approx(expected, abs=5e-4)
