import base64
import io
import json
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image
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
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from skbreath import (
    AudioError,
    AudioReader,
    BreathFeatures,
    SummaryPooling,
    WeightedVotingClassifier,
    evaluate,
    evaluate_fitted,
    load_model,
    make_breath_sounds,
    report,
    save_model,
)


class Reader(HTMLParser):
    """Parse a page as a browser without scripts does."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.scripts = [], [], []
        self._inside = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.text.append(data)

    def attributes(self, tag, name):
        return [
            attrs[name] for kind, attrs in self.tags if kind == tag and name in attrs
        ]

    @property
    def numbers(self):
        return json.loads(self.scripts[0])

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def write(tmp_path, result=None, **settings):
    path = tmp_path / "report.html"
    report(evaluated() if result is None else result, path, **settings)
    return Reader(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    made = sounds()
    return write(
        tmp_path_factory.mktemp("report"),
        X=made.waveforms,
        search=trials(),
        breakdowns={"recording": made.recording, "subject": made.subject},
        title="A title",
    )


def test_page_has_scores_and_intervals(page):
    table = evaluated().table
    for name in ("accuracy", "f1", "roc_auc", "log_loss", "calibration_error"):
        assert f"{table.loc[name, 'value']:.3f}" in page.words
        interval = f"{table.loc[name, 'low']:.3f} to {table.loc[name, 'high']:.3f}"
        assert interval in page.words
    frame = evaluated().predictions
    precision = average_precision_score(frame["y_true"] == "I", frame["y_score"])
    assert f"average precision {precision:.3f}" in page.words
    assert "90 clips" in page.words and "3 folds" in page.words


def test_page_has_every_section_and_no_way_out(page):
    ids = page.attributes("section", "id")
    expected = ["summary", "threshold", "curves", "by-0", "by-1"]
    assert ids == [*expected, "vote", "trials", "errors", "settings"]
    links = ["#summary", *[f"#{i}" for i in ids], "#settings"]
    assert page.attributes("a", "href") == links
    addresses = [
        *page.attributes("link", "href"),
        *page.attributes("audio", "src"),
        *page.attributes("image", "href"),
    ]
    assert addresses and all(address.startswith("data:") for address in addresses)
    policy = page.attributes("meta", "content")[0]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy


def test_page_says_what_was_evaluated(page, tmp_path):
    settings = evaluated().settings
    assert f"versions skbreath {settings['versions']['skbreath']}, python" in page.words
    for text in (
        "model Pipeline(AudioReader, ThresholdClassifier)",
        f"seeds {', '.join(map(str, settings['seeds']))}",
        "folds 3 splitter StratifiedGroupKFold",
        "clips 90",
        f"data digest {settings['data_digest']}",
    ):
        assert text in page.words
    bare = Bunch(**evaluated())
    del bare["settings"]  # of a result that was made by hand
    assert "settings" not in write(tmp_path, bare).attributes("section", "id")


@pytest.mark.parametrize(
    "value, words",
    [
        (0.03, "Calibration: no worse than chance for this many clips."),
        (0.2, "Calibration: worse than chance. Probabilities are off by 0.200"),
        (np.nan, None),
    ],
)
def test_calibration_is_summed_up_in_words(tmp_path, value, words):
    result = Bunch(**evaluated())
    result.table = result.table.copy()
    result.table.loc["calibration_error", "value"] = value
    result.table.loc["perfect_calibration"] = [0.03, 0.01, 0.05]
    found = write(tmp_path, result).words
    if words is None:
        assert "Calibration:" not in found
    else:
        assert words in found and "0.010 to 0.050 by chance" in found


def test_scores_in_the_page_are_those_of_the_predictions(page):
    frame = evaluated().predictions
    score = frame["y_score"].to_numpy()
    truth = frame["y_true"] == "I"
    assert page.numbers["positives"] == sorted(score[truth])
    assert page.numbers["negatives"] == sorted(score[~truth])
    thresholds = [m["classifier"].best_threshold_ for m in evaluated().estimator]
    assert page.numbers["start"] == np.median(thresholds)
    bins = page.numbers["reliability"]
    assert sum(b["n"] for b in bins) == 90
    assert sum(b["n"] * b["share"] for b in bins) == pytest.approx(truth.sum())


def test_errors_are_the_worst_ones_with_sound_and_picture(page):
    frame = evaluated().predictions
    wrong = frame[frame["y_true"] != frame["y_pred"]]
    cost = np.where(wrong["y_true"] == "I", 1 - wrong["y_score"], wrong["y_score"])
    worst = wrong["row"].to_numpy()[np.argsort(-cost, kind="stable")][:20]
    names = re.findall(
        r"Clip \d+, clip (\d+)", " ".join(page.attributes("audio", "aria-label"))
    )
    assert [int(name) for name in names] == worst.tolist() and len(worst) == 20
    for row, sound in zip(worst, page.attributes("audio", "src"), strict=True):
        content = base64.b64decode(sound.removeprefix("data:audio/wav;base64,"))
        waveform, rate = soundfile.read(io.BytesIO(content))
        assert rate == 16000 and np.abs(waveform).max() == pytest.approx(0.89, abs=1e-3)
        expected = sounds().waveforms[row]
        assert np.corrcoef(waveform, expected)[0, 1] > 0.999
    picture = page.attributes("image", "href")[0]
    content = base64.b64decode(picture.removeprefix("data:image/png;base64,"))
    image = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
    # With SciPy 1.14 the last frame is missing.
    assert image.shape in ((129, 117), (129, 118)) and image.max() > 150


def test_breakdown_weights_and_trials_are_told(page):
    by = page.numbers["breakdowns"]
    assert [len(part["points"]) for part in by][1] == len(set(sounds().subject))
    frame = evaluated().predictions
    right = (frame["y_true"] == frame["y_pred"]).mean()
    assert by[0]["overall"] == pytest.approx(right)
    weights = np.mean(
        [m["classifier"].estimator_.weights_ for m in evaluated().estimator], axis=0
    )
    for name, weight in zip(("linear", "bayes"), weights, strict=True):
        assert f"{name} {weight:.2f}" in page.words
    assert [p["value"] for p in page.numbers["trials"]] == [0.71, 0.83, 0.99, None, 0.8]
    assert "5 trials: 3 complete, 1 pruned, 1 fail" in page.words
    best = page.words.index("0.8300")  # a pruned trial cannot be the best
    assert best < page.words.index("0.8000") < page.words.index("0.9900")


def test_f1_without_a_positive_clip_is_a_dash_that_sorts_last(tmp_path):
    made = sounds()
    write(tmp_path, breakdowns={"label": made.target})
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    (row,) = re.findall("<bdi>E</bdi></th>(<td data.*)</tr>", html)
    f1 = re.findall('<td data-value="(.*?)">(.*?)</td>', row)[3]
    assert f1 == ("", "–")


def test_chance_names_the_group_that_is_worse_than_luck(tmp_path):
    frame = evaluated().predictions
    part = np.where(
        (frame["y_true"] != frame["y_pred"]) & (frame.index < 60), "bad", "ok"
    )
    page = write(tmp_path, breakdowns={"part": part})
    assert "1 of 2 have fewer correct clips" in page.words
    marked = [
        a for t, a in page.tags if a.get("aria-label", "").startswith("fewer are")
    ]
    assert len(marked) == 1
    assert page.words.index("▼ bad") < page.words.index(" ok ")


def test_networks_of_the_vote_show_how_they_were_trained(tmp_path):
    page = write(tmp_path, trained())
    ids = page.attributes("section", "id")
    assert ids[-4:-1] == ["vote", "training", "errors"]
    first, second = page.numbers["training"]  # of the two members with a network
    votes = trained().estimator
    for part, name in ((first, "net"), (second, SCRIPT)):
        histories = [vote.named_estimators_[name][-1].history_ for vote in votes]
        for kind in ("train", "valid"):
            losses = [
                [epoch[f"{kind}_loss"] for epoch in history]
                for history in histories
                if f"{kind}_loss" in history[0]
            ]
            assert len(part[kind]["each"]) == len(losses)
            for found, loss in zip(part[kind]["each"], losses, strict=True):
                assert found == pytest.approx(loss, abs=1e-4)
            if losses:
                expected = np.mean(losses, axis=0)
                assert part[kind]["mean"] == pytest.approx(expected, abs=1e-4)
    assert len(first["valid"]["each"]) == 2 and not second["valid"]["each"]
    assert [len(loss) for loss in second["train"]["each"]] == [5, 5]
    lowest = min(votes[0].named_estimators_["net"][-1].history_, key=_valid)
    assert f"{lowest['valid_loss']:.3f}" in page.words
    assert "net 2 3" in page.words  # networks, epochs


def _valid(epoch):
    return epoch["valid_loss"]


def test_a_network_alone_has_its_curve_and_a_broken_loss_is_shown(tmp_path):
    made = sounds()
    fitted = network(4).fit(made.waveforms[:60], made.target[:60])
    save_model(fitted, tmp_path / "model.skb")
    fitted = load_model(tmp_path / "model.skb")
    result = evaluate_fitted(
        fitted, made.waveforms[60:], made.target[60:], n_resamples=10
    )
    (part,) = write(tmp_path, result, model=fitted).numbers["training"]
    assert part["name"] == "the network" and len(part["train"]["each"][0]) == 4
    fitted[-1].history_[2]["train_loss"] = float("nan")
    page = write(tmp_path, result, model=fitted)
    (part,) = page.numbers["training"]
    assert part["train"]["each"][0][2] is None and part["train"]["mean"][2] is None
    assert "1 network has losses that are not numbers" in page.words
    del fitted[-1].history_  # of a network that got its weights elsewhere
    page = write(tmp_path, result, model=fitted)
    assert "training" not in page.attributes("section", "id")


def test_bare_result_makes_a_smaller_page(tmp_path):
    made = sounds()
    numbers = np.where(made.target == "I", 1, 0)
    one = model().set_params(classifier__pos_label=1)
    bare = evaluate(one, made.waveforms, numbers, cv=2, pos_label=1, n_resamples=10)
    page = write(tmp_path, bare)
    assert page.attributes("section", "id") == [
        "summary", "threshold", "curves", "errors", "settings",
    ]  # fmt: skip
    assert page.numbers["start"] == 0.5 and "starts in the middle" in page.words
    assert not page.attributes("audio", "src")


def test_fitted_model_judged_on_other_clips(tmp_path):
    made = sounds()
    fitted = model().fit(made.waveforms[:60], made.target[:60])
    result = evaluate_fitted(
        fitted, made.waveforms[60:], made.target[60:], n_resamples=10
    )
    page = write(tmp_path, result, model=fitted, X=made.waveforms[60:], n_errors=3)
    assert page.numbers["start"] == fitted["classifier"].best_threshold_
    assert "at the threshold of the model" in page.words
    assert len(page.attributes("audio", "src")) == 3
    assert "without one of the folds" in page.words


def test_any_search_of_scikit_learn_will_do(tmp_path):
    X, y = sounds().waveforms[:, :10], sounds().target
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 0.1]}, cv=2).fit(X, y)
    page = write(tmp_path, search=search)
    assert "var_smoothing" in page.words and len(page.numbers["trials"]) == 2
    with pytest.raises(ValueError, match="mean_test_score"):
        write(tmp_path, search=pd.DataFrame({"a": [1]}))


def test_hostile_names_and_labels_are_text(tmp_path):
    labels = [SCRIPT, f"</script>{IMAGE}"]
    paths, target = write_clips(tmp_path, labels)
    groups = np.array([f"{SCRIPT}{g}" for g in sounds().recording])
    result = evaluate(model().set_params(classifier__pos_label=SCRIPT), paths, target,
                      groups, cv=2, pos_label=SCRIPT, n_resamples=10)  # fmt: skip
    page = write(
        tmp_path, result, X=paths, search=trials(SCRIPT), title=SCRIPT,
        breakdowns={IMAGE: groups},
    )  # fmt: skip
    kinds = [tag for tag, _ in page.tags]
    assert kinds.count("script") == 2 and "img" not in kinds
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert page.numbers["pos"] == SCRIPT
    assert SCRIPT in page.words and IMAGE in page.words
    assert str(tmp_path) not in page.words  # names from the common folder on


def test_names_that_are_no_unicode_can_be_written(tmp_path):
    names = np.array(["caf\udce9"] * 90, dtype=object)
    page = write(tmp_path, breakdowns={"name": names})
    assert "caf?" in page.words


class CountingReader(AudioReader):
    """Count how often each file is read."""

    reads = Counter()

    def transform(self, X):
        self.reads.update(path for path in X if isinstance(path, str))
        return super().transform(X)

    def fit_transform(self, X, y=None):
        self.reads.update(path for path in X if isinstance(path, str))
        return super().fit_transform(X, y)


@pytest.mark.parametrize("drift", [None, "warn"])
def test_each_clip_is_read_once(tmp_path, drift):
    paths, target = write_clips(tmp_path, ("I", "E"))
    fitted = model()
    fitted.set_params(audio=CountingReader(drift=drift))
    fitted.fit(paths[:60], target[:60])
    result = evaluate_fitted(fitted, paths[50:], target[50:], n_resamples=10)
    CountingReader.reads.clear()
    page = write(tmp_path, result, model=fitted, X=paths[50:])
    assert CountingReader.reads == Counter(paths[50:].tolist())
    assert "The model was trained on 10 of these" in page.words
    # Of the models of folds only the errors are needed.
    result = evaluate(model(), paths, target, cv=2, n_resamples=10)
    CountingReader.reads.clear()
    page = write(tmp_path, result, model=[fitted], X=paths, n_errors=3)
    assert len(page.attributes("audio", "src")) == 3
    assert set(CountingReader.reads.values()) == {1}
    assert CountingReader.reads.total() == 3


def test_failure_leaves_the_old_page(tmp_path):
    old = tmp_path / "report.html"
    old.write_text("old", encoding="utf-8")
    with pytest.raises(AudioError):
        report(evaluated(), old, X=[str(tmp_path / "gone.wav")] * 90)
    with pytest.raises(ValueError, match="the breakdown 'day' has 3 rows"):
        report(evaluated(), old, breakdowns={"day": ["a", "b", "c"]})
    with pytest.raises(ValueError, match="X has 5 rows, expected.* 90 or more"):
        report(evaluated(), old, X=sounds().waveforms[:5])
    assert (
        old.read_text(encoding="utf-8") == "old" and len(list(tmp_path.iterdir())) == 1
    )
    with pytest.raises(FileNotFoundError, match="does not exist"):
        report(evaluated(), tmp_path / "none" / "report.html")


def test_perfect_model_has_no_errors_to_show(tmp_path):
    y = np.repeat(["E", "I"], 20)
    X = (y == "I")[:, None] + np.zeros((40, 3))
    result = evaluate(GaussianNB(), X, y, n_resamples=10)
    page = write(tmp_path, result)
    assert "There are none." in page.words


def test_a_model_judged_on_its_own_clips_says_so(tmp_path):
    sounds = make_breath_sounds(60, random_state=0)
    features = make_pipeline(BreathFeatures(groups=("rms",)), SummaryPooling())
    vote = WeightedVotingClassifier([("bayes", GaussianNB())])
    fitted = make_pipeline(features, vote).fit(
        sounds.waveforms[:40], sounds.target[:40]
    )
    result = evaluate_fitted(fitted, sounds.waveforms, sounds.target)
    report(result, tmp_path / "r.html", X=sounds.waveforms, model=fitted)
    text = " ".join((tmp_path / "r.html").read_text(encoding="utf-8").split())
    assert "The model was trained on 40 of these clips" in text
