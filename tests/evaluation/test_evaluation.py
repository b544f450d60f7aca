import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import (
    break_down,
    compare_predictions,
    evaluate,
    evaluate_fitted,
    score_predictions,
)


class Memoriser(ClassifierMixin, BaseEstimator):
    """Gives the true label of clips it was fitted on, and "E" for all others."""

    __metadata_request__fit = {"groups": True}

    def fit(self, X, y, groups=None):
        assert groups is not None
        self.classes_ = np.unique(y)
        self.known_ = dict(zip(X[:, 0], y, strict=True))
        return self

    def predict_proba(self, X):
        inhale = [float(self.known_.get(x, "E") == "I") for x in X[:, 0]]
        return np.c_[1 - np.array(inhale), inhale]

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.fixture
def recordings():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 6)
    y = np.where(rng.random(40) < 0.5, "I", "E")[groups]
    X = np.c_[groups, rng.normal(size=240) + (y == "I")]
    return X, y, groups


def test_recordings_are_never_split(recordings):
    X, y, groups = recordings
    by_recording = evaluate(Memoriser(), X, y, groups, n_resamples=20)
    assert set(by_recording.predictions["y_pred"]) == {"E"}
    folds = by_recording.predictions.groupby("group")["fold"].nunique()
    assert (folds == 1).all()


def test_groups_reach_a_model_inside_a_pipeline(recordings):
    X, y, groups = recordings
    model = make_pipeline("passthrough", Memoriser())
    assert len(evaluate(model, X, y, groups, n_resamples=5).predictions) == 240


def test_models_of_the_folds_are_kept_if_asked_for(recordings):
    X, y, groups = recordings
    result = evaluate(
        *(LogisticRegression(), X, y, groups), n_resamples=5, return_estimator=True
    )
    assert len(result.estimator) == 5 and result.pos_label == "I"
    frame = result.predictions
    for fold, model in enumerate(result.estimator):
        rows = frame["row"][frame["fold"] == fold]
        assert model.predict(X[rows]).tolist() == frame["y_pred"][rows].tolist()
    assert "estimator" not in evaluate(LogisticRegression(), X, y, n_resamples=5)


def test_scores_are_those_of_the_pooled_predictions(recordings):
    X, y, groups = recordings
    model = make_pipeline(StandardScaler(), LogisticRegression())
    result = evaluate(model, X, y, groups, n_resamples=50)
    frame = result.predictions
    assert frame["row"].tolist() == list(range(240))
    assert frame["y_true"].tolist() == y.tolist()
    value = result.table["value"]
    truth = frame["y_true"] == "I"
    assert value["accuracy"] == accuracy_score(frame["y_true"], frame["y_pred"])
    assert value["f1"] == f1_score(truth, frame["y_pred"] == "I")
    assert value["roc_auc"] == pytest.approx(roc_auc_score(truth, frame["y_score"]))
    assert (result.table["low"] <= value).all()
    assert (result.table["high"] >= value).all()


def test_interval_of_whole_groups_is_wider_than_of_clips():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), 20)
    y = np.tile(["I", "E"], 300)
    hit = (rng.random(30) < 0.8)[groups]  # all clips of a recording right or wrong
    y_pred = np.where(hit, y, np.where(y == "I", "E", "I"))
    score = (y_pred == "I").astype(float)
    grouped = score_predictions(y, y_pred, score, groups).loc["accuracy"]
    single = score_predictions(y, y_pred, score).loc["accuracy"]
    assert grouped["value"] == single["value"]
    assert grouped["high"] - grouped["low"] > 2 * (single["high"] - single["low"])


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(60):
        y = np.where(rng.random(150) < 0.5, "I", "E")
        hit = rng.random(150) < 0.75
        y_pred = np.where(hit, y, np.where(y == "I", "E", "I"))
        row = score_predictions(y, y_pred, hit * 1.0, n_resamples=200).loc["accuracy"]
        covered += row["low"] <= 0.75 <= row["high"]
    assert 50 <= covered <= 60


def test_bad_input_is_explained(recordings):
    X, y, groups = recordings
    model = LogisticRegression()
    with pytest.raises(ValueError, match="pos_label must be one of .*, got 'in'"):
        evaluate(model, X, y, groups, pos_label="in")
    with pytest.raises(ValueError, match="two classes"):
        evaluate(model, X, np.repeat("I", 240), groups)
    with pytest.raises(ValueError, match="X has 240, y has 239"):
        evaluate(model, X, y[:-1], groups)
    for missing in (None, np.nan):
        with pytest.raises(ValueError, match="y has 1 missing value, .* row 239"):
            evaluate(model, X, [*y[:-1].tolist(), missing], groups)
    with pytest.raises(ValueError, match="at least 5 different groups"):
        evaluate(model, X, y, groups % 3)
    with pytest.raises(ValueError, match="each row once"):
        evaluate(model, X, y, cv=ShuffleSplit(3, random_state=0))


def test_scores_and_intervals_are_those_of_scikit_learn_on_resampled_groups():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 12, 200)
    truth = rng.random(200) < 0.4
    score = np.clip(np.round(truth * 0.3 + rng.random(200) * 0.7, 2), 0, 1)  # ties

    def by_scikit_learn(rows):
        y, p = truth[rows], score[rows]
        exact = [accuracy_score(y, p > 0.5), f1_score(y, p > 0.5)]
        return exact + [roc_auc_score(y, p), log_loss(y, p)]

    table = score_predictions(
        truth, score > 0.5, score, groups, pos_label=True, n_resamples=2000
    )[:4]
    np.testing.assert_allclose(table["value"], by_scikit_learn(np.arange(200)))
    resampled = []
    for _ in range(300):
        counts = rng.multinomial(12, np.full(12, 1 / 12))
        resampled.append(by_scikit_learn(np.repeat(np.arange(200), counts[groups])))
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    spread = np.std(resampled, axis=0)
    assert (abs(table["low"] - low) < 0.35 * spread).all()
    assert (abs(table["high"] - high) < 0.35 * spread).all()


def test_calibration_error_sees_what_is_not_calibrated():
    rng = np.random.default_rng(4)
    p = rng.random(4000)
    y = np.where(rng.random(4000) < p, "I", "E")
    labels = np.where(p > 0.5, "I", "E")
    good = score_predictions(y, labels, p)
    row, perfect = good.loc["calibration_error"], good.loc["perfect_calibration"]
    assert perfect["low"] <= row["value"] <= perfect["high"]
    assert row["low"] <= row["value"] <= row["high"]
    overconfident = np.where(p > 0.5, 0.5 + p / 2, p / 2)
    bad = score_predictions(y, labels, overconfident).loc["calibration_error"]
    assert bad["low"] > perfect["high"]
    # By hand: the bins hold a tenth each.
    bins = np.array_split(np.argsort(p), 10)
    by_hand = sum(abs(((y[b] == "I") - p[b]).sum()) for b in bins) / 4000
    assert row["value"] == pytest.approx(by_hand, abs=0.002)


def test_perfect_calibration_is_what_simulated_labels_give():
    rng = np.random.default_rng(5)
    p = rng.beta(2, 2, 300)

    def scores(n_resamples):
        return score_predictions(
            rng.random(300) < p, p > 0.5, p, pos_label=True, n_resamples=n_resamples
        )

    simulated = [scores(2).loc["calibration_error", "value"] for _ in range(300)]
    found = scores(2000).loc["perfect_calibration", "value"]
    assert found == pytest.approx(np.mean(simulated), rel=0.05)


def test_scores_that_are_no_probabilities_have_no_log_loss():
    y = ["I", "E"] * 20
    table = score_predictions(y, y, [3.0, -2.0] * 20, n_resamples=20)
    assert table.loc["roc_auc", "value"] == 1
    lacking = table.index[table["value"].isna()].tolist()
    assert lacking == ["log_loss", "calibration_error", "perfect_calibration"]


def test_paired_difference_is_known_better_than_its_parts(recordings):
    X, y, groups = recordings
    X = np.c_[X, np.random.default_rng(6).normal(size=240)]  # noise for one of them
    models = (LogisticRegression(C=0.1), LogisticRegression(C=0.01))
    results = [evaluate(model, X[:, 1:], y, groups) for model in models]
    first, second = (result.predictions for result in results)
    compared = compare_predictions(first, second.sample(frac=1, random_state=0))
    row = compared.table.loc["roc_auc"]
    widths = [np.ptp(r.table.loc["roc_auc", ["low", "high"]]) for r in results]
    assert row["high"] - row["low"] < min(widths)
    assert row["low"] <= row["difference"] <= row["high"]
    same = compare_predictions(first, first)
    assert (same.table[["difference", "low", "high"]] == 0).all(axis=None)
    assert same.mcnemar.p_value == 1
    swapped = compare_predictions(second, first).table
    assert swapped.loc["roc_auc", "difference"] == -row["difference"]


def test_mcnemar_counts_and_refusals():
    frame = pd.DataFrame({"row": range(40), "group": range(40)})
    frame["y_true"] = ["I", "E"] * 20
    frame["y_pred"], frame["y_score"] = frame["y_true"], 0.5
    worse = frame.copy()
    worse.loc[:9, "y_pred"] = worse.loc[:9, "y_true"].map({"I": "E", "E": "I"})
    counts = compare_predictions(frame, worse).mcnemar
    assert (counts.only_first, counts.only_second) == (10, 0)
    assert counts.p_value == pytest.approx(2 / 2**10)
    with pytest.raises(ValueError, match="other values of 'row'"):
        compare_predictions(frame, worse.iloc[1:])
    worse.loc[0, "y_true"] = "E"
    with pytest.raises(ValueError, match="other values of 'y_true'"):
        compare_predictions(frame, worse)


def test_break_down_by_recording_and_by_day(recordings):
    X, y, groups = recordings
    result = evaluate(LogisticRegression(), X[:, 1:], y, groups, n_resamples=5)
    table, frame = result.by_group, result.predictions
    assert table["n_clips"].sum() == 240 and len(table) == 40
    assert table["accuracy"].is_monotonic_increasing
    one = frame[frame["group"] == 7]
    assert table.loc[7, "accuracy"] == (one["y_true"] == one["y_pred"]).mean()
    by_day = break_down(frame, by=pd.Series(frame["group"] % 5, name="day"))
    assert by_day.index.name == "day" and len(by_day) == 5
    day = frame[frame["group"] % 5 == 3]
    auc = roc_auc_score(day["y_true"] == "I", day["y_score"])
    assert by_day.loc[3, "roc_auc"] == pytest.approx(auc)
    by_label = break_down(frame, by="y_true")
    assert np.isnan(by_label.loc["E", "f1"]) and by_label.loc["I", "f1"] > 0.5
    with pytest.raises(ValueError, match="by must be a column .* got 'day'"):
        break_down(frame, by="day")
    with pytest.raises(ValueError, match="240 predictions, got 3"):
        break_down(frame, by=[1, 2, 3])


def test_settings_describe_what_was_evaluated(recordings):
    X, y, groups = recordings
    model = LogisticRegression(random_state=3)
    by_day = pd.Series(groups % 5, name="day")
    settings = evaluate(model, X, y, by_day, cv=3, n_resamples=5).settings
    expected = {"model": "LogisticRegression", "seeds": [3], "n_clips": 240}
    expected |= {"n_folds": 3, "grouped_by": "day", "n_groups": 5}
    assert expected.items() <= settings.items()
    fitted = model.fit(X, y)
    order = np.random.default_rng(0).permutation(len(y))
    again = evaluate_fitted(fitted, X[order], y[order], n_resamples=5).settings
    assert again["data_digest"] == settings["data_digest"]
    assert again["grouped_by"] is None and "n_folds" not in again
    X[0, 0] += 1
    other = evaluate_fitted(fitted, X, y, n_resamples=5).settings
    assert other["data_digest"] != settings["data_digest"]


def test_fitted_model_is_evaluated_on_new_clips(recordings):
    X, y, groups = recordings
    fitted = groups < 20
    model = LogisticRegression().fit(X[fitted, 1:], y[fitted])
    new = X[~fitted, 1:], y[~fitted], groups[~fitted]
    result = evaluate_fitted(model, *new, n_resamples=20)
    assert result.table.loc["accuracy", "value"] == model.score(*new[:2])
    assert len(result.by_group) == 20
    with pytest.raises(ValueError, match="classes of the model"):
        evaluate_fitted(model, new[0], np.where(new[1] == "I", "I", "out"))


def test_missing_groups_and_columns_are_named():
    X, y = np.arange(20.0)[:, None], np.tile([0, 1], 10)
    groups = [0, None, *range(2, 20)]
    with pytest.raises(ValueError, match="1 missing value, the first at row 1"):
        evaluate(LogisticRegression(), X, y, groups, pos_label=1)
    predictions = evaluate(LogisticRegression(), X, y, pos_label=1).predictions
    with pytest.raises(
        ValueError, match=r"table second must have .* without \['y_pred'\]"
    ):
        compare_predictions(predictions, predictions.drop(columns="y_pred"))
