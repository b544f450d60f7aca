"""Any bytes as an audio file: finite samples, or one AudioError that names it."""

import os
import sys
import tempfile
import warnings
from pathlib import Path

import harness
import numpy as np

with harness.instrumented():
    from skbreath import (
        AudioError,
        AudioReader,
        AudioWarning,
        inspect_audio_files,
        load_audio,
    )

_FILE = os.path.join(tempfile.mkdtemp(prefix="skbreath-fuzz-"), "clip.wav")
_READER = AudioReader(duration=0.5)


def target(data):
    with open(_FILE, "wb") as file:
        file.write(data)
    rate = (None, 4000, 16000)[len(data) % 3]
    durations, found = inspect_audio_files([_FILE], sample_rate=rate)
    try:
        samples, read_rate = load_audio(_FILE, sample_rate=rate)
    except AudioError as error:
        ((path, reason),) = error.problems
        assert path == _FILE and reason and "\n" not in str(error)
        assert np.isnan(durations[0]), f"only reading finds: {reason}"
        assert found == error.problems, f"{found}, then {error.problems}"
    else:
        assert found == [] and durations[0] > 0, f"{found}, {durations}"
        assert samples.dtype == np.float32 and samples.ndim == 1 and len(samples)
        assert np.isfinite(samples).all() and read_rate == (rate or read_rate)
    try:
        clip = _READER.transform([_FILE])
    except AudioError as error:
        assert [path for path, _ in error.problems] == [_FILE]
    else:
        assert clip.shape == (1, 8000) and np.isfinite(clip).all()


def seeds():
    """The files of the matrix of bad audio that are not too long."""
    sys.path.insert(0, str(harness.REPOSITORY / "tests" / "audio"))
    import audio_matrix

    for group, _, make in audio_matrix.KINDS.values():
        if not group.startswith(("Paths", "Files that change")):
            content = Path(make(tempfile.mkdtemp()).path).read_bytes()
            if len(content) <= 65536:
                yield content


if __name__ == "__main__":
    warnings.simplefilter("ignore", AudioWarning)
    harness.run(target, seeds())
