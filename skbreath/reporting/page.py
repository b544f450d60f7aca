"""Render a report as one HTML page that works offline."""

import base64
import datetime
import hashlib
import json
from importlib.resources import files

import numpy as np
from sklearn.metrics import average_precision_score

from .. import __version__
from .tables import (
    breakdown_table,
    calibration_text,
    confusion,
    live_scores,
    own_thresholds,
    plain_text,
    reliability,
    score_rows,
)

__all__ = ["Page"]

# Characters that could end the script element that holds the numbers.
_INERT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&"}


class Page:
    """Collect the content of a page, section by section.

    The slider starts at the median of the thresholds of `models`, which may be empty.
    """

    def __init__(self, result, models, title):
        predictions = result.predictions
        self.pos = result.pos_label
        labels = np.unique(predictions["y_true"]).tolist()
        self.neg = next(label for label in labels if label != self.pos)
        self.result = result
        self.truth = (predictions["y_true"] == self.pos).to_numpy()
        self.score = predictions["y_score"].to_numpy(dtype=np.float64)
        called = (predictions["y_pred"] == self.pos).to_numpy()
        counts = confusion(self.truth, called)
        bins = reliability(self.truth, self.score)
        thresholds = own_thresholds(models, self.pos)
        start = float(np.median(thresholds)) if thresholds else 0.5
        low, high = min(0.0, self.score.min()), max(1.0, self.score.max())
        self.sections = [
            ("summary", "Summary"),
            ("threshold", "Threshold"),
            ("curves", "Curves"),
        ]
        level = f"{100 * result.confidence_level:g} %"
        self.content = {
            "title": plain_text(title),
            "n_known": 0,
            "version": __version__,
            "date": datetime.date.today().isoformat(),
            "facts": self._facts(),
            "lead": self._lead(counts),
            "method": self._method(level),
            "level": level,
            "tiles": [
                {"name": name, **result.table.loc[key].to_dict()}
                for key, name in (
                    ("accuracy", "Accuracy"),
                    ("f1", f"F1 of {plain_text(self.pos)}"),
                    ("roc_auc", "ROC AUC"),
                )
            ],
            "scores": score_rows(result.table),
            "calibration": calibration_text(result.table),
            "pos": plain_text(self.pos),
            "neg": plain_text(self.neg),
            "counts": counts,
            "live": live_scores(counts),
            "low": low,
            "high": high,
            "start": start,
            "start_name": "as trained" if thresholds else "the middle",
            "threshold_note": _threshold_note(thresholds),
            "auc": f"{result.table.loc['roc_auc', 'value']:.3f}",
            "ap": f"{average_precision_score(self.truth, self.score):.3f}",
            "reliability": bins,
            "breakdowns": [],
            "errors_text": _errors_text(counts),
        }
        # Input of the script.
        self.data = {
            "pos": plain_text(self.pos),
            "neg": plain_text(self.neg),
            "positives": np.sort(self.score[self.truth]).tolist(),
            "negatives": np.sort(self.score[~self.truth]).tolist(),
            "low": low,
            "high": high,
            "start": start,
            "reliability": bins,
            "breakdowns": [],
            "training": [],
        }

    def _facts(self):
        """List how many clips, labels, groups and folds there are."""
        predictions = self.result.predictions
        facts = [f"{len(predictions):,} clips"]
        facts += [
            f"{int(n):,} {plain_text(label)}"
            for label, n in (
                (self.pos, self.truth.sum()),
                (self.neg, (~self.truth).sum()),
            )
        ]
        if self.result.by_group is not None:
            facts.append(f"{predictions['group'].nunique():,} groups")
        if "fold" in predictions:
            facts.append(f"{predictions['fold'].nunique()} folds")
        return facts

    def _lead(self, counts):
        """Write the first paragraph."""
        n = len(self.truth)
        accuracy = self.result.table.loc["accuracy"]
        often = max(self.truth.mean(), 1 - self.truth.mean())
        return (
            f"{counts['tp'] + counts['tn']:,} of {n:,} clips are labelled correctly: "
            f"{_percent(accuracy['value'])}, and of other clips of this kind between "
            f"{_percent(accuracy['low'])} and {_percent(accuracy['high'])}. The "
            f"more frequent label for all of them gets {_percent(often)}."
        )

    def _method(self, level):
        """Describe how the scores were computed."""
        how = "The fitted model was evaluated on these clips."
        if "fold" in self.result.predictions:
            how = "Every clip was labelled by a model that was not trained on it."
        unit = "clips" if self.result.by_group is None else "whole groups"
        return f"{how} {level} intervals by bootstrap over {unit}."

    def list_settings(self):
        """List name and value of each setting of the evaluation; None if unknown."""
        settings = self.result.get("settings", {}).items()
        rows = [
            (name.removeprefix("n_").replace("_", " "), _setting(value))
            for name, value in settings
            if value is not None and value != []
        ]
        return rows or None

    def break_down(self, parts):
        """Add a section for each breakdown."""
        for i, (name, values) in enumerate(parts.items()):
            part = breakdown_table(self.result.predictions, values, name, self.pos)
            part["id"] = f"by-{i}"
            self.content["breakdowns"].append(part)
            self.sections.append((part["id"], f"By {part['name']}"))
            self.data["breakdowns"].append(part.pop("chart") | {"id": part["id"]})

    def put(self, key, name, content):
        """Add a section, unless its content is None."""
        self.content[key] = content
        if content is not None:
            self.sections.append((key, name))

    def render(self):
        """Fill the template."""
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup

        folder = files("skbreath.reporting") / "template"
        style = (folder / "page.css").read_text(encoding="utf-8")
        script = (folder / "page.js").read_text(encoding="utf-8")
        if self.content["training"] is not None:
            self.data["training"] = self.content["training"]["charts"]
        if self.content["trials"] is not None:
            self.data["trials"] = self.content["trials"]["points"]
            self.data["metric"] = self.content["trials"]["metric"]
        numbers = json.dumps(self.data, allow_nan=False).translate(_INERT)
        environment = Environment(
            loader=PackageLoader("skbreath.reporting", "template"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return environment.get_template("page.html").render(
            **self.content,
            sections=self.sections,
            # Files of the package are not escaped; the numbers were, by `_INERT`.
            style=Markup(style),
            script=Markup(script),
            data=Markup(numbers),
            style_hash=_sha256(style),
            script_hash=_sha256(script),
        )


def _setting(value):
    """Write a setting as text."""
    if isinstance(value, dict):
        value = [f"{name} {entry}" for name, entry in value.items()]
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value))
    return plain_text(value)


def _threshold_note(thresholds):
    """Describe where the slider starts."""
    if not thresholds:
        return "It starts in the middle."
    if len(thresholds) == 1:
        return "It starts at the threshold of the model."
    return (
        f"Each of the {len(thresholds)} models of the folds has its own, from "
        f"{min(thresholds):.3f} to {max(thresholds):.3f}; it starts at their median, "
        "so that the scores there differ slightly from those evaluated."
    )


def _errors_text(counts):
    """Describe the section of errors."""
    n = counts["fn"] + counts["fp"]
    if not n:
        return "There are none."
    return (
        f"Of {n:,} clips labelled wrongly, those whose correct label got the lowest "
        "probability. Listen: some labels are debatable, some clips are noise."
    )


def _sha256(text):
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return base64.b64encode(digest).decode("ascii")


def _percent(share):
    return f"{100 * share:.1f} %"
