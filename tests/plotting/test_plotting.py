from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pytest
from matplotlib.figure import Figure
from optuna.distributions import FloatDistribution
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from skbreath import (
    BreathFeatures,
    FeatureMapDisplay,
    LearningCurveDisplay,
    OptunaSearchCV,
    ResidualCNNClassifier,
    SpectrogramDisplay,
    ThresholdClassifier,
    ThresholdCurveDisplay,
    VotingWeightsDisplay,
    WeightedVotingClassifier,
    evaluate,
)


@pytest.fixture(autouse=True)
def close_figures():
    plt.switch_backend("agg")
    plt.close("all")  # those of other tests
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def vote():
    X, y = make_classification(200, flip_y=0.2, random_state=0)
    members = [
        ("linear", LogisticRegression()),
        ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
        ("gone", "drop"),
        ("bayes", GaussianNB()),
    ]
    inner = WeightedVotingClassifier(members, weights="learned", cv=3)
    return ThresholdClassifier(inner, pos_label=1, scoring="accuracy").fit(X, y)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_spectrogram_shows_a_tone_where_it_is():
    time = np.arange(16000) / 16000
    display = SpectrogramDisplay.from_waveform(np.sin(2 * np.pi * 440 * time))
    loudest = display.frequencies[display.power_db.mean(axis=1).argmax()]
    assert abs(loudest - 440) < 16
    assert display.ax_.get_xlabel() == "Time (s)"
    assert display.ax_.get_ylabel() == "Frequency (Hz)"
    assert display.colorbar_.ax.get_ylabel() == "Level (dB)"
    assert display.power_db.max() == 0 and display.power_db.min() >= -60


def test_spectrogram_of_silence_and_of_little_sound():
    for waveform in (np.zeros(16000), np.ones(10)):
        assert np.isfinite(SpectrogramDisplay.from_waveform(waveform).power_db).all()


@pytest.fixture(scope="module")
def clip():
    time = np.arange(16000) / 16000
    return np.sin(2 * np.pi * 440 * time) * (time > 0.5)


def test_feature_map_names_every_group_and_all_channels(clip):
    ax = Figure().subplots()
    display = FeatureMapDisplay.from_estimator(BreathFeatures(), clip, ax=ax)
    assert display.ax_ is ax and plt.get_fignums() == []
    assert display.features.shape == (112, 63)
    names = [label.get_text() for label in ax.get_yticklabels()]
    sizes = {"mel": 64, "contrast": 7, "mfcc": 13, "delta": 13, "delta2": 13}
    assert names == [f"{g} ({sizes[g]})" if g in sizes else g for g in display.groups_]
    assert sum(s.stop - s.start for s in display.groups_.values()) == 112
    assert ax.get_xlabel() == "Time (s)"
    borders = [line.get_ydata()[0] for line in ax.lines]
    assert borders == sorted(borders) and len(borders) == 7
    # The second half of the clip is louder.
    mel = display.features[display.groups_["mel"]]
    assert mel[:, 40:].max() > mel[:, :20].max() + 10


def test_feature_map_uses_a_copy_of_the_first_step_of_a_member(clip):
    features = BreathFeatures(groups=("rms", "mel"), n_mels=16, n_fft=512)
    member = make_pipeline(features, LogisticRegression())
    display = FeatureMapDisplay.from_estimator(member, clip)
    assert list(display.groups_) == ["mel", "rms"]
    assert not hasattr(features, "channel_names_")
    with pytest.raises(ValueError, match="LogisticRegression"):
        FeatureMapDisplay.from_estimator(LogisticRegression(), clip)


def test_feature_map_of_silence_is_finite():
    display = FeatureMapDisplay.from_estimator(BreathFeatures(), np.zeros(4000))
    display.figure_.canvas.draw()


def test_threshold_curve_marks_the_chosen_point_and_the_base_rate():
    X, y = make_classification(300, flip_y=0.3, weights=[0.7], random_state=0)
    model = ThresholdClassifier(LogisticRegression(), pos_label=1, scoring="accuracy")
    ax = Figure().subplots()
    display = ThresholdCurveDisplay.from_estimator(model.fit(X, y), ax=ax)
    assert display.ax_ is ax and display.figure_ is ax.figure
    assert plt.get_fignums() == []  # drawing on given axes opens nothing
    curve, line, point, base = ax.lines
    assert curve.get_ydata().max() == model.best_score_
    assert line.get_xdata()[0] == point.get_xdata()[0] == model.best_threshold_
    assert base.get_ydata()[0] == pytest.approx(max(np.mean(y), 1 - np.mean(y)))
    assert "always the same class" in legend(ax)[1]


def test_threshold_curve_needs_a_fitted_estimator():
    with pytest.raises(NotFittedError):
        ThresholdCurveDisplay.from_estimator(ThresholdClassifier(LogisticRegression()))
    with pytest.raises(ValueError, match="one fitted ThresholdClassifier"):
        ThresholdCurveDisplay.from_estimator(GaussianNB())


def test_threshold_curve_of_a_model_saved_without_a_base_rate(vote):
    del vote.threshold_curve_["base_rate"]
    display = ThresholdCurveDisplay.from_estimator(vote)
    assert display.base_score is None and len(display.ax_.lines) == 3


@pytest.mark.parametrize(
    "scoring, metric", [("accuracy", accuracy_score), ("f1", None)]
)
def test_threshold_curve_of_predictions(scoring, metric):
    X, y = make_classification(120, flip_y=0.2, random_state=1)
    labels = np.where(y == 1, "I", "E")
    frame = evaluate(LogisticRegression(), X, labels, n_resamples=5).predictions
    display = ThresholdCurveDisplay.from_predictions(
        frame["y_true"], frame["y_score"], scoring=scoring, threshold=0.4
    )
    called = np.where(frame["y_score"] >= 0.4, "I", "E")
    if metric is None:
        expected = f1_score(labels, called, pos_label="I")
        always = f1_score(labels, np.full(120, "I"), pos_label="I")
    else:
        expected, always = metric(labels, called), max(np.mean(y), 1 - np.mean(y))
    assert display.best_score == pytest.approx(expected)
    assert display.base_score == pytest.approx(always)
    best = ThresholdCurveDisplay.from_predictions(
        frame["y_true"], frame["y_score"], scoring=scoring
    )
    assert best.best_score == best.scores.max() >= display.best_score


def test_voting_weights_show_every_member_and_every_fold(vote):
    ax = Figure().subplots()
    display = VotingWeightsDisplay.from_estimator(vote, ax=ax)
    inner = vote.estimator_
    assert list(display.names) == ["linear", "tree", "bayes"]
    assert [bar.get_width() for bar in ax.patches] == inner.weights_.tolist()
    folds = ax.lines[0].get_xdata().reshape(3, 3)
    assert folds.tolist() == inner.fold_weights_.tolist()
    assert ax.get_xlabel() == "Weight in the vote" and plt.get_fignums() == []


def test_voting_weights_that_were_given_have_no_folds():
    X, y = make_classification(60, random_state=0)
    members = [("a", LogisticRegression()), ("b", GaussianNB())]
    given = WeightedVotingClassifier(members, weights=[1, 3]).fit(X, y)
    display = VotingWeightsDisplay.from_estimator(given)
    assert display.fold_weights is None
    assert display.weights.tolist() == [0.25, 0.75]
    with pytest.raises(ValueError, match="one fitted WeightedVoting"):
        VotingWeightsDisplay.from_estimator(LogisticRegression())


@pytest.fixture(scope="module")
def net_data():
    rng = np.random.default_rng(0)
    y = np.tile(["E", "I"], 40)
    return rng.normal(size=(80, 6, 12)) + (y == "I")[:, None, None] * 0.3, y


@pytest.fixture(scope="module")
def net():
    return ResidualCNNClassifier(
        hidden_channels=4, max_epochs=6, lr=0.02, batch_size=16, random_state=0
    )


def test_learning_curve_draws_the_history_and_marks_the_best_epoch(net, net_data):
    model = make_pipeline("passthrough", net).fit(*net_data)
    display = LearningCurveDisplay.from_estimator(model)
    train, valid, best = display.ax_.lines
    history = model[-1].history_
    assert train.get_ydata().tolist() == [e["train_loss"] for e in history]
    assert valid.get_ydata().tolist() == [e["valid_loss"] for e in history]
    assert best.get_ydata()[0] == min(e["valid_loss"] for e in history)
    assert display.best_epochs_ == [best.get_xdata()[0]]
    assert display.ax_.get_ylabel() == "Loss (nats per clip)"


def test_learning_curves_of_all_networks_of_a_vote(net, net_data):
    members = [("net", net.set_params(early_stopping=False, max_epochs=2))]
    model = WeightedVotingClassifier(members, weights="learned", refit=False, cv=3)
    display = LearningCurveDisplay.from_estimator(model.fit(*net_data))
    assert len(display.histories) == 3 and display.best_epochs_ == []
    *each, mean = display.ax_.lines
    expected = np.mean([line.get_ydata() for line in each], axis=0)
    assert mean.get_ydata() == pytest.approx(expected)
    assert legend(display.ax_) == ["training, mean of 3 networks"]
    with pytest.raises(ValueError, match="with a fitted ResidualCNN"):
        LearningCurveDisplay.from_estimator(GaussianNB())


def test_calibration_display_of_scikit_learn_takes_predictions():
    X, y = make_classification(200, flip_y=0.2, random_state=0)
    labels = np.where(y == 1, "I", "E")
    frame = evaluate(LogisticRegression(), X, labels, n_resamples=5).predictions
    display = CalibrationDisplay.from_predictions(
        frame["y_true"], frame["y_score"], pos_label="I", strategy="quantile", n_bins=5
    )
    assert len(display.prob_true) == 5


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    "plot",
    ["optimization_history", "param_importances", "parallel_coordinate", "slice"],
)
def test_optuna_plots_take_the_study_of_a_search(plot, searched):
    drawn = getattr(optuna.visualization.matplotlib, f"plot_{plot}")(searched.study_)
    assert np.ravel(drawn)[0].figure.axes


@pytest.fixture(scope="module")
def searched():
    X, y = make_classification(80, flip_y=0.2, random_state=0)
    space = {
        "C": FloatDistribution(1e-3, 1e3, log=True),
        "tol": FloatDistribution(0, 1),
    }
    search = OptunaSearchCV(LogisticRegression(), space, n_trials=6, random_state=0)
    return search.fit(X, y)


@pytest.mark.parametrize(
    "waveform, kind, message",
    [
        ("r0.wav", TypeError, "file name 'r0.wav'; AudioReader"),
        (Path("r0.wav"), TypeError, "file name 'r0.wav'; AudioReader"),
        (np.ones((2, 16000)), ValueError, r"shape \(2, 16000\)"),
        ([], ValueError, r"shape \(0,\)"),
    ],
)
def test_spectrogram_refuses_file_names_and_several_clips(waveform, kind, message):
    with pytest.raises(kind, match=message):
        SpectrogramDisplay.from_waveform(waveform)
