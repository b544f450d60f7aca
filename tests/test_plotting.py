import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skbreath import SpectrogramDisplay, ThresholdClassifier, ThresholdCurveDisplay


@pytest.fixture(autouse=True)
def no_window_left_open():
    plt.switch_backend("agg")
    yield
    plt.close("all")


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


def test_threshold_curve_marks_the_chosen_point():
    X, y = make_classification(300, flip_y=0.3, random_state=0)
    model = ThresholdClassifier(LogisticRegression(), pos_label=1).fit(X, y)
    ax = Figure().subplots()
    display = ThresholdCurveDisplay.from_estimator(model, ax=ax)
    assert display.ax_ is ax and display.figure_ is ax.figure
    assert plt.get_fignums() == []  # drawing on given axes opens nothing
    curve, line, point = ax.lines
    assert curve.get_ydata().max() == model.best_score_
    assert line.get_xdata()[0] == point.get_xdata()[0] == model.best_threshold_


def test_threshold_curve_needs_a_fitted_estimator():
    with pytest.raises(NotFittedError):
        ThresholdCurveDisplay.from_estimator(ThresholdClassifier(LogisticRegression()))
