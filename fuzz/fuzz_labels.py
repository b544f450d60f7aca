"""Any bytes as a label file: a consistent table, or a ValueError that names it."""

import tempfile
import warnings
from pathlib import Path

import harness

with harness.instrumented():
    import skbreath

_FOLDER = Path(tempfile.mkdtemp(prefix="skbreath-fuzz-"))
_NAMES = [f"steth_20180814_09_37_{second:02}_{second:03}.wav" for second in range(4)]
for _subset in ("train", "test"):
    (_FOLDER / _subset).mkdir()
    for _name in _NAMES:
        (_FOLDER / _subset / _name).write_bytes(b"...")


def target(data):
    for name in ("train.csv", "test.csv"):
        (_FOLDER / name).write_bytes(data)
    calls = {
        "train.csv": lambda: skbreath.load_kaggle_breath(_FOLDER),
        "test.csv": lambda: skbreath.load_kaggle_breath(_FOLDER, subset="test"),
        "train.csv ": lambda: skbreath.load_labelled_folder(
            _FOLDER / "train.csv",
            _FOLDER / "train",
            path_column="ID",
            label_column="Target",
            group_column="day" if len(data) % 2 else None,
        ),
    }
    for table, call in calls.items():
        try:
            clips = call()
        except ValueError as error:
            assert table.strip() in str(error), error
            continue
        n_clips = len(clips.paths)
        assert n_clips == len(clips.id) == len(clips.frame) > 0
        assert len(set(map(str, clips.paths))) == n_clips
        assert all(Path(path).is_file() for path in clips.paths)
        if clips.target is not None:
            assert len(clips.target) == n_clips and len(set(clips.target)) >= 2


def seeds():
    """Tables as they should be, and in other encodings and dialects."""
    ids = [name.removesuffix(".wav") for name in _NAMES]
    labelled = [
        f"{clip[:-4]}_{label}_{clip[-3:]},{label}"
        for clip, label in zip(ids, "IEIE", strict=True)
    ]
    train = "ID,Target\n" + "\n".join(labelled) + "\n"
    test = "ID\n" + "\n".join(_NAMES) + "\n"
    own = "ID,Target,day\n" + "".join(f"{n},{n[-5]},d\n" for n in _NAMES)
    yield from (text.encode() for text in (train, test, own))
    yield own.replace("\n", "\r\n").encode("utf-8-sig")
    yield own.encode("utf-16")
    yield own.replace(",", ";").encode()
    yield b'"ID","Target","day"\n"a""b","I\nJ",""\n'


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)
    harness.run(target, seeds())
