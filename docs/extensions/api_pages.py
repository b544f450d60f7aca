"""Write docs/api/PACKAGE.rst: the public names of each package, from __init__.pyi."""

import inspect
import re
from pathlib import Path

from result_tables import REPOSITORY, packages

import skbreath

FOLDER = Path(__file__).resolve().parents[1] / "api"


def public_names():
    """List the public classes and functions of each package."""
    stubs = (REPOSITORY / "skbreath" / "__init__.pyi").read_text(encoding="utf-8")
    names = {}
    for package, imported in re.findall(
        r"^from \.(\w+)[\w.]* import \(?\s*(\w+) as", stubs, flags=re.MULTILINE
    ):
        thing = getattr(skbreath, imported)
        # Constants are described in api.rst.
        if inspect.isclass(thing) or inspect.isroutine(thing):
            names.setdefault(package, []).append(imported)
    return names


def pages():
    """Yield name and text of each page."""
    described = {name: texts for _, name, *texts in packages()}
    for package, names in public_names().items():
        title = package.replace("_", " ").capitalize().replace("Onnx", "ONNX")
        summary, given, made = described[package]
        lines = [title, "=" * len(title), "", f"{summary}.", ""]
        lines += [f"In: {given}. Out: {made}.".replace("`", "``"), ""]
        lines += [".. currentmodule:: skbreath", "", ".. autosummary::"]
        lines += ["   :toctree: generated/", "", *(f"   {name}" for name in names), ""]
        yield package, "\n".join(lines)


def write_pages(app, config):
    """Write the pages that have changed."""
    FOLDER.mkdir(exist_ok=True)
    for package, text in pages():
        path = FOLDER / f"{package}.rst"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app):
    """Register the extension with Sphinx; pages must be there before autosummary."""
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
