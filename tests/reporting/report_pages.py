"""Make results and pages that the tests of reports share."""

from functools import cache

import numpy as np
import pandas as pd
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skbreath import (
    BreathFeatures,
    ChannelScaler,
    ResidualCNNClassifier,
    SummaryPooling,
    WeightedVotingClassifier,
    evaluate,
    make_breath_classifier,
    make_breath_sounds,
)

SCRIPT = "<script>window.broken=1</script>"
IMAGE = "<img src=x onerror='window.broken=1'>"


@cache
def sounds():
    """Make sounds that are hard enough for a weak model to err."""
    return make_breath_sounds(90, n_subjects=9, difficulty=0.9, random_state=1)


def model():
    """Make a vote of two quick members, with learned weights and a threshold."""

    def member(last):
        features = BreathFeatures(groups=("rms", "zcr"), hop_length=1024)
        return make_pipeline(features, SummaryPooling(n_bins=4), last)

    members = [
        ("linear", member(LogisticRegression())),
        ("bayes", member(GaussianNB())),
    ]
    return make_breath_classifier(members, cv=2, drift=None, random_state=0)


@cache
def evaluated():
    """Cross-validate `model`, with the models in the result; do not change it."""
    made = sounds()
    return evaluate(
        *(model(), made.waveforms, made.target, made.recording),
        cv=3,
        n_resamples=50,
        return_estimator=True,
    )


def network(max_epochs=3, **params):
    """Make a quick member with a network."""
    net = ResidualCNNClassifier(
        hidden_channels=4, max_epochs=max_epochs, random_state=0, **params
    )
    features = BreathFeatures(groups=("rms", "zcr"), hop_length=1024)
    return make_pipeline(features, ChannelScaler(), net)


@cache
def trained():
    """Cross-validate a vote with networks, one of a hostile name; do not change it."""
    made = sounds()
    linear = model().named_steps["classifier"].estimator.estimators[0]
    vote = WeightedVotingClassifier(
        [("net", network()), linear, (SCRIPT, network(5, early_stopping=False))], cv=2
    )
    return evaluate(
        *(vote, made.waveforms, made.target, made.recording),
        cv=2,
        n_resamples=20,
        return_estimator=True,
    )


def trials(name="net__lr"):
    """Make the table of a search of five trials, one of them pruned, one failed."""
    return pd.DataFrame(
        {
            "trial_number": [0, 1, 2, 3, 4],
            "trial_state": ["COMPLETE", "COMPLETE", "PRUNED", "FAIL", "COMPLETE"],
            "mean_test_score": [0.71, 0.83, 0.99, np.nan, 0.80],
            "std_test_score": [0.01, 0.02, 0.01, np.nan, 0.01],
            f"param_{name}": [0.1, 0.2, 0.3, 0.4, SCRIPT],
        }
    )


def write_clips(folder, labels):
    """Write clips with hostile names; return their paths and labels."""
    made = sounds()
    paths = []
    for i, waveform in enumerate(made.waveforms):
        # A slash cannot be in a name, but the path as a whole ends the element.
        parent = folder / f"{i}<"
        parent.mkdir()
        path = parent / f"script><img src=x onerror='window.broken=1'>\"&\u202e{i}.wav"
        soundfile.write(path, waveform, 16000)
        paths.append(str(path))
    return np.array(paths), np.where(made.target == "I", *labels)
