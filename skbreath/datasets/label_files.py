"""Read and write label files: the label and the recording of each clip."""

from __future__ import annotations

import os
import re
import unicodedata
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ..audio.files import has_audio_suffix, is_hidden
from ..phases.phase_table import common_words, words_note
from ..utils.files import atomic_path
from ..utils.text import shorten

if TYPE_CHECKING:
    from typing import Literal

    from ..utils.typing import Column, FilePath

# <prefix>_<day>_<hh>_<mm>_<ss>_<index>.wav; only the positions of the fields matter.
_FILE_NAME = re.compile(
    r"^(?P<recording>[^_]+_(?P<day>[^_]+)_\d+_\d+_\d+)_(?P<index>\d+)\.wav$",
    re.IGNORECASE,
)
# Training IDs contain the label; file names do not.
_LABEL_IN_ID = re.compile(r"_[IE]_(?=[^_]*$)")

_DESCR = """\
Inhale or exhale
----------------
{n} clips in {folder}. Those of the competition stem from HF_Lung_V1 (CC BY-NC 4.0 as
reported by its users: not for commercial use). Clips of a recording or a day belong
together: split by `recording`, or by `day` to evaluate on unseen patients. Names and
row order reveal labels and must not reach a model.
"""


def load_kaggle_breath(
    folder: FilePath, subset: Literal["train", "test"] = "train"
) -> Bunch:
    """Read a label file in the layout of the Kaggle breath competition.

    The layout is ``train.csv`` (``ID,Target``) beside ``train/*.wav``, and
    ``test.csv`` (``ID``) beside ``test/*.wav``. An ID is a file name with or
    without ``.wav``, in ``train.csv`` with the label inserted: the file of
    ``steth_20180814_09_37_11_I_004`` is ``steth_20180814_09_37_11_004.wav``.

    Parameters
    ----------
    folder : str or path
        Folder of the CSV files.
    subset : {"train", "test"}, default="train"
        Part to read.

    Returns
    -------
    clips : Bunch
        In the order of the CSV file, arrays of shape (n_clips,) of str:

        - ``paths`` : files
        - ``target`` : ``"I"`` and ``"E"``; None instead for ``"test"``
        - ``recording`` : such as ``"steth_20180814_09_37_11"``
        - ``day`` : second field of the name; the only information about patients
        - ``groups`` : the same as ``recording``
        - ``id`` : as in the CSV file

        and

        - ``frame`` : DataFrame of the above, and of further columns of the CSV file
        - ``unlisted`` : list of str, audio files without a row
        - ``DESCR`` : str

    Raises
    ------
    ValueError
        If a column is missing, a row has no file, an ID or a file comes twice, a
        label is neither ``"I"`` nor ``"E"`` nor a common word for them such as
        ``"inhale"``, all labels are the same, or a file name
        does not have the form ``<prefix>_<day>_<hh>_<mm>_<ss>_<index>.wav``.

    Warns
    -----
    UserWarning
        If audio files have no row, or words are read as ``"I"`` and ``"E"``.

    See Also
    --------
    load_labelled_folder : Read your own clips, with any names.
    write_submission : Write predictions for ``"test"``.

    Examples
    --------
    >>> import tempfile
    >>> from skbreath import make_breath_sounds, write_breath_sounds
    >>> sounds = make_breath_sounds(n_clips=40, n_subjects=4, random_state=0)
    >>> folder = write_breath_sounds(sounds, tempfile.mkdtemp() + "/breath")
    >>> clips = load_kaggle_breath(folder)
    >>> len(clips.paths), sorted(set(clips.day.tolist()))
    (36, ['S00', 'S01', 'S02', 'S03'])
    >>> load_kaggle_breath(folder, "test").frame.columns.tolist()
    ['ID', 'path', 'recording', 'day']
    """
    if subset not in ("train", "test"):
        raise ValueError(f"subset must be 'train' or 'test', got {subset!r}.")
    labelled = subset == "train"
    table = Path(folder) / f"{subset}.csv"
    frame = _read_table(table, ["ID", "Target"] if labelled else ["ID"])
    _check_rows(table, frame["ID"].duplicated(keep=False), frame["ID"], "repeated IDs")
    if labelled:
        names = common_words(frame["Target"])
        if names:
            warnings.warn(
                f"{words_note(names)} ({str(table)!r}).", UserWarning, stacklevel=2
            )
            frame["Target"] = frame["Target"].replace(names)
        _check_two_classes(table, frame["Target"], known=("I", "E"))

    audio = Path(folder) / subset
    present = files_by_name(audio)
    names = pd.Series([_file_name(i, present) for i in frame["ID"]], index=frame.index)
    _check_rows(
        table,
        ~names.isin(present.values()),
        frame["ID"],
        f"IDs without a file in {str(audio)!r}",
        "copy the files there, or delete the rows",
    )
    _check_rows(
        table, names.duplicated(keep=False), frame["ID"], "IDs of the same file"
    )
    parts = names.str.extract(_FILE_NAME)
    _check_rows(
        table,
        parts["recording"].isna(),
        names,
        "file names not like <prefix>_<day>_<hh>_<mm>_<ss>_<index>.wav",
        "use load_labelled_folder for other names",
    )
    unlisted = sorted(
        str(audio / name)
        for name in set(present.values()) - set(names)
        if has_audio_suffix(name) and not is_hidden(name)
    )
    if unlisted:
        warnings.warn(
            f"{len(unlisted)} audio files have no row in {str(table)!r} and are left "
            f"out: {shorten(map(repr, unlisted))}.",
            UserWarning,
            stacklevel=2,
        )
    frame["path"] = [str(audio / name) for name in names]
    frame["recording"], frame["day"] = parts["recording"], parts["day"]
    return Bunch(
        paths=frame["path"].to_numpy(str),
        target=frame["Target"].to_numpy(str) if labelled else None,
        recording=frame["recording"].to_numpy(str),
        day=frame["day"].to_numpy(str),
        groups=frame["recording"].to_numpy(str),
        id=frame["ID"].to_numpy(str),
        frame=frame,
        unlisted=unlisted,
        DESCR=_DESCR.format(n=len(frame), folder=str(folder)),
    )


def load_labelled_folder(
    table: FilePath,
    audio_folder: FilePath | None = None,
    *,
    path_column: str = "path",
    label_column: str | None = "label",
    group_column: str | None = None,
) -> Bunch:
    """Read a CSV file with the paths and labels of your own clips.

    Parameters
    ----------
    table : str or path
        CSV file with a header, one row per clip, with commas, semicolons or tabs
        between.
    audio_folder : str or path, default=None
        Folder that paths are relative to; None is the folder of `table`.
    path_column : str, default="path"
        Column with the audio files.
    label_column : str or None, default="label"
        Column with the labels, taken as text. None for clips without labels.
    group_column : str or None, default=None
        Column with the groups that a split must keep together: the patient, or the
        recording. None if there is none.

    Returns
    -------
    clips : Bunch
        In the order of the CSV file: ``paths`` (n_clips,) of str; ``target``
        (n_clips,) of str or None; ``groups`` (n_clips,) of str or None; ``id``, the
        paths as written in the CSV file; ``frame``, all of its columns.

    Raises
    ------
    ValueError
        If a column or a value is missing, a file comes twice or does not exist, or
        all labels are the same.

    See Also
    --------
    load_kaggle_breath : Read the layout of the competition.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("a.wav", "b.wav"):
    ...     _ = (folder / name).write_bytes(b"...")
    >>> _ = (folder / "clips.csv").write_text("path,label\\na.wav,in\\nb.wav,out\\n")
    >>> load_labelled_folder(folder / "clips.csv").target.tolist()
    ['in', 'out']
    """
    table = Path(table)
    base = table.parent if audio_folder is None else Path(audio_folder)
    columns = [c for c in (path_column, label_column, group_column) if c is not None]
    other = "rename a column, or name yours: path_column, label_column, "
    other += "or group_column (--group on the command line)"
    frame = _read_table(table, columns, other)
    if label_column is not None:
        _check_two_classes(table, frame[label_column])
    written = frame[path_column]
    paths = find_files(str(base / path) for path in written)
    paths = pd.Series(paths, index=frame.index)
    _check_rows(
        table,
        ~paths.map(os.path.isfile).astype(bool),
        written,
        f"paths without a file (relative to {str(base)!r})",
        "copy the files there, correct the paths, or in Python give audio_folder",
    )
    normal = paths.map(os.path.normpath)
    _check_rows(table, normal.duplicated(keep=False), written, "repeated paths")
    return Bunch(
        paths=paths.to_numpy(str),
        target=None if label_column is None else frame[label_column].to_numpy(str),
        groups=None if group_column is None else frame[group_column].to_numpy(str),
        id=written.to_numpy(str),
        frame=frame,
    )


def recordings_of_names(paths):
    """Get the recording of each file in the Kaggle layout; None if a name differs."""
    names = pd.Series(map(os.path.basename, paths), dtype=object)
    recordings = names.str.extract(_FILE_NAME)["recording"]
    return None if recordings.isna().any() else recordings.to_numpy(str)


def write_submission(path: FilePath, ids: Column, labels: Column) -> None:
    """Write predictions in the format of the competition: ``ID,Target``.

    Parameters
    ----------
    path : str or path
        CSV file; an old one is replaced in one step when the new one is complete.
    ids : sequence of str
        Such as ``load_kaggle_breath(folder, "test").id``.
    labels : sequence
        One for each ID, in the same order.

    Raises
    ------
    ValueError
        If the lengths differ, there are none, an ID comes twice, or an ID or a label
        is missing. Nothing is written then.
    FileNotFoundError
        If the folder does not exist.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "submission.csv")
    >>> write_submission(path, ["a.wav", "b.wav"], ["I", "E"])
    >>> print(path.read_text())
    ID,Target
    a.wav,I
    b.wav,E
    """
    ids, labels = pd.Series(list(ids), dtype=object), pd.Series(list(labels))
    if len(ids) != len(labels):
        raise ValueError(
            f"got {len(ids)} ids, but {len(labels)} labels; give one label for each."
        )
    if len(ids) == 0:
        raise ValueError("ids is empty: expected one prediction or more.")
    _check_rows(path, ids.isna() | (ids == ""), ids, "missing IDs")
    _check_rows(path, labels.isna() | (labels == ""), ids, "missing labels")
    _check_rows(path, ids.duplicated(keep=False), ids, "repeated IDs")
    table = pd.DataFrame({"ID": ids.array, "Target": labels.array})
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _read_table(table, columns, advice="rename a column"):
    """Read a CSV file as text, and check that `columns` are present and filled."""
    try:
        # As text: "NA" and "01" are names.
        with warnings.catch_warnings():
            # An error for rows longer than the header, which pandas would shift or cut.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            with open(table, encoding="utf-8", errors="replace") as file:
                separator = max(",;\t", key=file.readline().count)
            frame = pd.read_csv(
                table,
                sep=separator,
                dtype=str,
                keep_default_na=False,
                index_col=False,
            ).fillna("")
    except FileNotFoundError:
        raise ValueError(
            f"the file {str(table)!r} does not exist; check folder and spelling."
        ) from None
    except pd.errors.EmptyDataError:
        raise ValueError(f"{str(table)!r} is empty: expected a header.") from None
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        raise ValueError(
            f"{str(table)!r} is not a CSV file in UTF-8 with a header: {error}"
        ) from error
    missing = [column for column in columns if column not in frame]
    if missing:
        raise ValueError(
            f"{str(table)!r} lacks the column{'s' * (len(missing) > 1)} "
            f"{shorten(map(repr, missing))}; it has "
            f"{shorten(map(repr, frame.columns))}; {advice}."
        )
    if frame.empty:
        raise ValueError(f"{str(table)!r} has a header, but no rows.")
    for column in columns:
        frame[column] = frame[column].str.strip()
        _check_rows(table, frame[column] == "", frame[column], f"an empty {column!r}")
    return frame


def find_files(paths):
    """Return the files of paths, also of names with the suffix in another case.

    Accents may be written as letters of their own, as in names of macOS.
    """
    folders, found = {}, []
    for path in paths:
        folder, name = os.path.split(path)
        if not os.path.isfile(path):
            if folder not in folders:
                names = os.listdir(folder) if os.path.isdir(folder) else ()
                folders[folder] = {_plain_name(one): one for one in names}
            name = folders[folder].get(_plain_name(name), name)
        found.append(os.path.join(folder, name))
    return found


def _plain_name(name):
    """Return a file name with composed letters and its suffix in small letters."""
    stem, suffix = os.path.splitext(unicodedata.normalize("NFC", name))
    return stem + suffix.lower()


def _check_rows(table, wrong, values, what, remedy="correct these rows"):
    """Raise an error that lists the lines and values where `wrong` is true."""
    wrong = np.asarray(wrong, dtype=bool)
    if not wrong.any():
        return
    lines = [
        f"line {i + 2} ({values.iloc[i]!r})" for i in np.flatnonzero(wrong).tolist()
    ]
    raise ValueError(
        f"{str(table)!r} has {what} in {len(lines)} of {len(values)} rows: "
        f"{shorten(lines)}; {remedy}."
    )


def _check_two_classes(table, labels, known=None):
    """Check that there are two classes, and that all labels are `known` (None: any)."""
    if known is not None:
        _check_rows(
            table,
            ~labels.isin(known),
            labels,
            "unknown labels",
            f"labels are {' and '.join(map(repr, known))}",
        )
    if labels.nunique() < 2:
        raise ValueError(
            f"{str(table)!r} has only one class, {labels.iloc[0]!r}; a classifier "
            "needs examples of two."
        )


def files_by_name(folder):
    """List the files in a folder by their names in NFC: macOS may decompose accents."""
    names = os.listdir(folder) if os.path.isdir(folder) else ()
    return {unicodedata.normalize("NFC", name): name for name in names}


def _file_name(clip_id, present):
    """Return the file of an ID: as given if the file exists, else without the label."""
    name = clip_id if clip_id.lower().endswith(".wav") else f"{clip_id}.wav"
    name = unicodedata.normalize("NFC", name)
    name = name if name in present else _LABEL_IN_ID.sub("_", name)
    return present.get(name, name)
