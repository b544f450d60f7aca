"""MiniRocket on waveforms or features, called by `bench_accuracy`; needs aeon.

``pip install aeon==1.6 "pandas<3.1" "numba<0.64"``, apart from skbreath: it wants older
packages. Called as ``python peer_minirocket.py given.npz result.npz``.
"""

import pickle
import sys
import time

import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main(given, result):
    """Train and predict; write what the table needs."""
    data = np.load(given)
    X, y, train, test = (data[key] for key in ("X", "y", "train", "test"))
    X = X.astype(np.float32)
    X = X[:, None] if X.ndim == 2 else X
    ridge = RidgeClassifierCV(alphas=np.logspace(-3, 5, 9))
    model = make_pipeline(
        MiniRocket(random_state=0, n_jobs=1),
        StandardScaler(with_mean=False),
        CalibratedClassifierCV(ridge, ensemble=False),
    )
    began, cpu = time.perf_counter(), time.process_time()
    model.fit(X[train], y[train])
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    score = model.predict_proba(X[test])[:, 1]
    model.predict(X[test[:1]])
    times = []
    for _ in range(21):
        began = time.perf_counter()
        model.predict(X[test[:1]])
        times.append(time.perf_counter() - began)
    np.savez(
        result,
        score=score,
        predicted=score > 0.5,
        fit_seconds=seconds,
        fit_cpu=cpu,
        latency_ms=1e3 * np.median(times),
        size_mb=len(pickle.dumps(model)) / 1e6,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
