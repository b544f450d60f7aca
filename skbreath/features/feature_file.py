"""Write the features of any number of files to one file, in bounded memory."""

import json
import zipfile
from contextlib import contextmanager

import numpy as np
import pandas as pd
from sklearn.utils import gen_batches

from ..audio.decoding import inspect_audio_files
from ..audio.reader import AudioReader
from ..utils.files import atomic_path, check_destination
from .summary_pooling import SummaryPooling

__all__ = ["write_features"]


def write_features(
    out,
    paths,
    *,
    features,
    summary,
    sample_rate,
    duration,
    batch_size,
    advance,
):
    """Extract the features of files, and write them to `out`, batch by batch.

    The suffix of `out` is the format:

    - ``.npz``: ``features`` (n_clips, n_channels, n_frames), ``channel_names``,
      ``paths``.
    - ``.npy``: ``features`` alone; names and paths are in ``<out>.json``.
    - ``.csv``, ``.parquet``: one row per frame, with ``path``, ``frame``, the time of
      its centre ``time_s``, and the channels. Parquet needs pyarrow.

    With `summary` features are (n_clips, n_columns), and tables have one row per file.
    `advance` is called with the number of files processed since the last call.

    Returns the shape of the features, and the names of the channels or columns.
    """
    out = check_destination(out)
    open_file = _FORMATS.get(out.suffix.lower())
    if open_file is None:
        raise ValueError(f"{out} must end in one of {', '.join(_FORMATS)}.")
    reader = AudioReader(sample_rate=sample_rate, duration=duration)
    n_samples = round(duration * sample_rate)
    features.fit(np.zeros((1, n_samples), dtype=np.float32))
    names = features.get_feature_names_out()
    n_frames = 1 + n_samples // features.hop_length
    shape = (len(paths), len(names), n_frames)
    pooling = None
    if summary:
        pooling = SummaryPooling().fit(np.zeros((1, *shape[1:])))
        names = pooling.get_feature_names_out(names)
        shape = (len(paths), len(names))
    names = [str(name) for name in names]

    def extract(batch):
        block = features.transform(reader.transform(paths[batch]))
        return block if pooling is None else pooling.transform(block)

    hop_s = features.hop_length / sample_rate
    with open_file(out, shape, np.dtype(features.dtype), names, paths, hop_s) as write:
        for batch in gen_batches(len(paths), batch_size):
            write(batch, extract(batch))
            advance(len(paths[batch]))
    return shape, names


def unreadable_files(paths, sample_rate, duration):
    """List the files that `write_features` cannot read, with the reasons."""
    n_samples = round(duration * sample_rate)
    return inspect_audio_files(paths, sample_rate=sample_rate, n_samples=n_samples)[1]


def _write_header(file, shape, dtype):
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(file, header)


@contextmanager
def _open_npz(out, shape, dtype, names, paths, hop_s):
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open("features.npy", "w", force_zip64=True) as file:
            _write_header(file, shape, dtype)
            yield lambda batch, block: file.write(np.ascontiguousarray(block).data)
        for name, values in (("channel_names", names), ("paths", paths)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.array(values, dtype=str))


@contextmanager
def _open_npy(out, shape, dtype, names, paths, hop_s):
    # The file of names comes first, so that features never exist without names.
    with atomic_path(out) as temporary:
        with open(temporary, "wb") as file:
            _write_header(file, shape, dtype)
            yield lambda batch, block: file.write(np.ascontiguousarray(block).data)
        about = {"channel_names": names, "paths": list(paths), "frame_s": hop_s}
        with atomic_path(out.with_name(out.name + ".json")) as beside:
            beside.write_text(json.dumps(about), encoding="utf-8")


def _rows(batch, block, names, paths, hop_s):
    """Convert a batch of features to a table."""
    paths = np.array(paths[batch], dtype=object)
    if block.ndim == 2:
        table = pd.DataFrame(block, columns=names)
        table.insert(0, "path", paths)
        return table
    n_clips, n_channels, n_frames = block.shape
    values = block.transpose(0, 2, 1).reshape(-1, n_channels)
    table = pd.DataFrame(values, columns=names)
    frame = np.tile(np.arange(n_frames), n_clips)
    table.insert(0, "path", np.repeat(paths, n_frames))
    table.insert(1, "frame", frame)
    table.insert(2, "time_s", frame * hop_s)
    return table


@contextmanager
def _open_csv(out, shape, dtype, names, paths, hop_s):
    with atomic_path(out) as temporary:
        with open(
            temporary, "w", encoding="utf-8", errors="surrogateescape", newline=""
        ) as file:

            def write(batch, block):
                table = _rows(batch, block, names, paths, hop_s)
                first = batch.start == 0
                table.to_csv(file, index=False, header=first, lineterminator="\n")

            yield write


@contextmanager
def _open_parquet(out, shape, dtype, names, paths, hop_s):
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            "Parquet needs pyarrow, which is not installed: pip install pyarrow, or "
            "write .npz or .csv."
        ) from error
    with atomic_path(out) as temporary:
        writer = None

        def write(batch, block):
            nonlocal writer
            table = _rows(batch, block, names, paths, hop_s)
            table = pyarrow.Table.from_pandas(table, preserve_index=False)
            if writer is None:
                writer = pyarrow.parquet.ParquetWriter(temporary, table.schema)
            writer.write_table(table)

        try:
            yield write
        finally:
            if writer is not None:
                writer.close()


_FORMATS = {
    ".npz": _open_npz,
    ".npy": _open_npy,
    ".csv": _open_csv,
    ".parquet": _open_parquet,
}
