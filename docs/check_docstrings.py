"""Check every public docstring against numpydoc: ``python docs/check_docstrings.py``.

Public is what docs/api.rst lists, and the public methods of its classes that this
package defines. Exits with 1 if anything is amiss.
"""

import importlib
import inspect
import re
import sys
from pathlib import Path

from numpydoc.validate import validate

API = Path(__file__).with_name("api.rst")

CHECKS = {
    "GL03",  # double blank lines
    "GL05",  # tabs
    "GL06",  # unknown section
    "GL07",  # sections in the wrong order
    "GL08",  # no docstring
    "SS01",  # no summary
    "SS02",  # summary without capital
    "SS03",  # summary without period
    "SS06",  # summary of several lines
    "PR01",  # parameter not documented
    "PR02",  # documented parameter that does not exist
    "PR03",  # parameters in the wrong order
    "PR04",  # parameter without type
    "PR05",  # type with a period
    "PR06",  # type such as "string" for "str"
    "PR07",  # parameter without description
    "PR10",  # no space before the colon
    "RT01",  # returned value not documented
    "YD01",  # yielded value not documented
    "SA04",  # see also without description
    "EX01",  # no example; not asked of methods
}

# (name, check): why not.
EXCEPTIONS = {
    ("skbreath.accuracy_coverage_curve", "SS03"): "a question",
    ("skbreath.load_model", "EX01"): "stands in save_model",
    ("skbreath.PhaseStream", "EX01"): "made by PhaseSegmenter.partial only",
}
# Their type says what they are.
SAID_BY_TYPE = re.compile(r'Parameter "(X|x|y|groups|images)" has no description')


def names_of_reference():
    """Names that docs/api.rst lists, such as ``skbreath.event_scores``."""
    lines = API.read_text(encoding="utf-8").splitlines()
    return [f"skbreath.{line.strip()}" for line in lines if _ENTRY.match(line)]


# An entry of an autosummary: indented, a name and nothing else.
_ENTRY = re.compile(r"   [A-Za-z_][\w.]*$")


def resolve(name):
    """Object of a dotted name."""
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def public_methods(thing):
    """Names of the methods that a class of this package, or a mixin of it, defines."""
    ours = [kind for kind in thing.__mro__ if kind.__module__.startswith("skbreath.")]
    functions = {}
    for kind in reversed(ours):
        functions |= vars(kind)
    for name, function in functions.items():
        if isinstance(function, (classmethod, staticmethod)):
            function = function.__func__
        # What forward does is torch's matter.
        if (
            not name.startswith("_")
            and name != "forward"
            and inspect.isfunction(function)
        ):
            yield name


def docstrings():
    """Yield name and checks of everything that is documented."""
    for name in names_of_reference():
        thing = resolve(name)
        methods = []
        if inspect.isclass(thing):
            methods = [f"{name}.{method}" for method in public_methods(thing)]
        has_example = any(
            "Examples\n"
            in (inspect.getdoc(getattr(thing, method.rpartition(".")[2])) or "")
            for method in methods
        )
        error = inspect.isclass(thing) and issubclass(thing, Exception)
        yield name, CHECKS - ({"EX01"} if has_example or error else set())
        for method in methods:
            yield method, CHECKS - {"EX01"}


def problems():
    """Yield a line for everything that is amiss."""
    for name, checks in docstrings():
        result = validate(name)
        for code, text in result["errors"]:
            if code not in checks or (name, code) in EXCEPTIONS:
                continue
            if code == "RT01" and "Yields\n" in result["docstring"]:
                continue
            if code == "PR07" and SAID_BY_TYPE.match(text):
                continue
            yield f"{name}: {code} {text}"


def main():
    """Print what is amiss."""
    found = list(problems())
    print(*found, sep="\n")
    print(f"{len(found)} problems in {len(list(docstrings()))} docstrings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
