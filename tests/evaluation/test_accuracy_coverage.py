import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from skbreath import AccuracyCoverageDisplay, evaluate


@pytest.fixture(autouse=True)
def no_window_left_open():
    plt.switch_backend("agg")
    plt.close("all")  # those of other tests
    yield
    plt.close("all")


def test_draws_the_curve_with_its_interval_and_name():
    X, y = make_classification(400, flip_y=0.3, random_state=0)
    model = LogisticRegression().fit(X[:200], y[:200])
    ax = Figure().subplots()
    display = AccuracyCoverageDisplay.from_estimator(
        model, X[200:], y[200:], ax=ax, n_resamples=50
    )
    assert display.ax_ is ax and plt.get_fignums() == []
    line = display.line_
    assert line.get_xdata().max() == 1
    assert line.get_ydata()[0] == model.score(X[200:], y[200:])
    assert [text.get_text() for text in ax.get_legend().texts] == ["LogisticRegression"]
    heights = display.interval_.get_paths()[0].vertices[:, 1]
    assert heights.min() <= line.get_ydata().min()
    assert heights.max() >= line.get_ydata().max()


def test_two_models_share_axes():
    X, y = make_classification(400, flip_y=0.3, random_state=0)
    groups = np.arange(400) // 8
    predictions = evaluate(
        LogisticRegression(), X, y, groups, pos_label=1, n_resamples=10
    ).predictions
    columns = [predictions[n] for n in ("y_true", "y_pred", "confidence", "group")]
    first = AccuracyCoverageDisplay.from_predictions(*columns, n_resamples=50)
    second = AccuracyCoverageDisplay(first.curve, name="again").plot(
        first.ax_, color="#d55e00"
    )
    assert second.figure_ is first.figure_ and len(first.ax_.lines) == 2
