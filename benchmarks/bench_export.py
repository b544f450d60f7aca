"""How an exported model agrees with the model, and how fast either is."""

import tempfile
import time
from pathlib import Path

import numpy as np

from skbreath import export_onnx, load_kaggle_breath, load_model

from .harness import Report, data_folder, measure, parser


def main():
    options = parser(__doc__, repeats=5)
    options.add_argument(
        "models", nargs="+", type=Path, help="files of `skbreath train`"
    )
    options = options.parse_args()
    folder = data_folder()
    if folder is None:
        raise SystemExit("no real recordings (set SKBREATH_DATA)")
    import onnxruntime

    report = Report("bench_export")
    report.line(f"onnxruntime {onnxruntime.__version__}, one thread")
    paths = load_kaggle_breath(folder / "kaggle-breath", "test").paths
    rows = []
    for file in options.models:
        model = load_model(file)
        clips = model[0].transform(paths)
        expected = model.predict_proba(clips)
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary, "model.onnx")
            began = time.process_time()
            export_onnx(model, path, clips)
            seconds = time.process_time() - began
            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads = 1
            session = onnxruntime.InferenceSession(
                path, settings, providers=["CPUExecutionProvider"]
            )
            megabytes = path.stat().st_size / 1e6
        (found,) = session.run(None, {"waveform": clips})
        apart = np.abs(found - expected).max(axis=1)
        timings = measure(
            {
                "onnx": lambda session=session, clips=clips: session.run(
                    None, {"waveform": clips}
                ),
                "python": lambda model=model, clips=clips: model.predict_proba(clips),
            },
            repeats=options.repeats,
            per=len(clips),
        )
        rows.append(
            (
                file.stem,
                f"{expected[:, 1].min():.3f}..{expected[:, 1].max():.3f}",
                f"{apart.max():.1e}",
                f"{np.median(apart):.1e}",
                int((apart > 1e-4).sum()),
                f"{megabytes:.1f}",
                f"{seconds:.0f}",
                timings["onnx"].text("cpu", 1e3),
                timings["python"].text("cpu", 1e3),
            )
        )
    report.table(
        f"{len(paths)} test clips",
        [
            "model",
            "probabilities",
            "apart, most",
            "median",
            "> 1e-4",
            "MB",
            "export, s CPU",
            "onnx, ms CPU a clip",
            "Python",
        ],
        rows,
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
