"""Whatever array comes in: a result of the right shape, or an error in words.

Errors are tested module by module; here only that nothing else
happens, whatever the shape, type and values.
"""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier

from skbreath import (
    AudioReader,
    AudioWarning,
    BreathFeatures,
    ChannelScaler,
    ResidualCNNClassifier,
    SummaryPooling,
    ThresholdClassifier,
    WeightedVotingClassifier,
)

DTYPES = st.one_of(
    npst.floating_dtypes(),
    npst.integer_dtypes(),
    npst.unsigned_integer_dtypes(),
    npst.boolean_dtypes(),
    npst.complex_number_dtypes(),
    npst.datetime64_dtypes(),
    npst.unicode_string_dtypes(max_len=3),
    npst.byte_string_dtypes(max_len=3),
    st.just(np.dtype(object)),
)
OBJECTS = st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.integers()


def any_array(max_dims=4):
    shapes = npst.array_shapes(min_dims=0, max_dims=max_dims, min_side=0, max_side=6)

    def arrays(dtype):
        elements = OBJECTS if dtype.kind == "O" else None
        return npst.arrays(dtype, shapes, elements=elements)

    return DTYPES.flatmap(arrays)


def numbers(n_dims):
    """Draw arrays of the right shape with any numbers, also NaN and infinity."""
    dtypes = st.one_of(
        npst.floating_dtypes(endianness="?"),
        npst.integer_dtypes(endianness="?"),
        npst.boolean_dtypes(),
    )
    sides = st.tuples(st.integers(1, 5), *[st.integers(1, 80)] * (n_dims - 1))
    return st.tuples(dtypes, sides).flatmap(lambda args: npst.arrays(*args))


def result(call, *args):
    """Return the result of a call, or None if it raises an error with a message."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call(*args)
        except (ValueError, TypeError, NotImplementedError) as error:
            assert str(error).strip()
            return None


TRANSFORMERS = {
    "reader": (AudioReader(duration=0.01), 2),
    "reader of the longest": (AudioReader(duration=None), 2),
    "reader with drift": (AudioReader(duration=0.01, drift="warn"), 2),
    "features": (BreathFeatures(n_fft=64, hop_length=16, n_mels=8), 2),
    "power": (BreathFeatures(n_fft=64, n_mels=8, log_scale=False), 2),
    "scaler": (ChannelScaler(), 3),
    "pooling": (SummaryPooling(n_bins=2), 3),
}


@pytest.mark.parametrize("name", TRANSFORMERS)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_transformers(name, data):
    transformer, n_dims = TRANSFORMERS[name]
    X = data.draw(any_array() | numbers(n_dims), label="X")
    before = X.copy()
    out = result(transformer.fit_transform, X)
    assert X.dtype == before.dtype and X.tobytes() == before.tobytes()
    if out is not None:
        assert len(out) == len(X) and out.dtype.kind == "f"
        assert np.isfinite(out).all()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)
            again = transformer.transform(X)
        np.testing.assert_array_equal(out, again)


LABELS = st.sampled_from([[0, 1], ["E", "I"], [False, True], [1.0, 2.0], [-1, 7]])
CLASSIFIERS = {
    "net": ResidualCNNClassifier(
        max_epochs=1, hidden_channels=2, validation_fraction=None, random_state=0
    ),
    "vote": WeightedVotingClassifier(
        [("one", DecisionTreeClassifier(max_depth=1)), ("two", DummyClassifier())], cv=2
    ),
    "threshold": ThresholdClassifier(DecisionTreeClassifier(max_depth=2), cv=2),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_classifiers(name, data):
    classifier = CLASSIFIERS[name]
    n_dims = 3 if name == "net" else 2
    X = data.draw(any_array() | numbers(n_dims), label="X")
    labels = data.draw(LABELS, label="labels")
    if isinstance(classifier, ThresholdClassifier):
        classifier.set_params(pos_label=labels[1])
    n_rows = len(X) if X.ndim else 1
    y = np.resize(labels, n_rows)
    if data.draw(st.booleans(), label="strange y"):
        y = data.draw(any_array(max_dims=2), label="y")
    if result(classifier.fit, X, y) is not None:
        predicted = classifier.predict(X)
        assert predicted.shape == (len(X),)
        assert set(predicted) <= set(classifier.classes_)
        proba = classifier.predict_proba(X)
        assert proba.shape == (len(X), len(classifier.classes_))
        assert np.isfinite(proba).all()
