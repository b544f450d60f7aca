"""Check public docstrings with numpydoc: ``python docs/check_docstrings.py``.

Checked are the public names, and the public methods of classes that this package
defines.
The exit code is 1 if there are problems.
"""

import inspect
import re
import sys

from numpydoc.validate import validate

import skbreath

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
    "EX01",  # no example; not checked for methods
}

# (name, check): the reason for the exception.
EXCEPTIONS = {
    ("skbreath.accuracy_coverage_curve", "SS03"): "a question",
    ("skbreath.load_model", "EX01"): "the example is in save_model",
    ("skbreath.PhaseStream", "EX01"): "created by PhaseSegmenter.partial only",
}
# Parameters that are described by their type.
DESCRIBED_BY_TYPE = re.compile(r'Parameter "(X|x|y|groups|images)" has no description')


def reference_names():
    """List the public classes and functions, such as ``skbreath.event_scores``."""
    found = [name for name in skbreath.__all__ if callable(getattr(skbreath, name))]
    return [f"skbreath.{name}" for name in found]


def resolve(name):
    """Return the object with a dotted name, such as ``skbreath.event_scores``."""
    return getattr(skbreath, name.removeprefix("skbreath."))


def public_methods(thing):
    """Yield the names of public methods of a class that are defined in skbreath."""
    defined_here = [
        kind for kind in thing.__mro__ if kind.__module__.startswith("skbreath.")
    ]
    functions = {}
    for kind in reversed(defined_here):
        functions |= vars(kind)
    for name, function in functions.items():
        if isinstance(function, (classmethod, staticmethod)):
            function = function.__func__
        # `forward` is documented by torch.
        if (
            not name.startswith("_")
            and name != "forward"
            and inspect.isfunction(function)
        ):
            yield name


def docstrings():
    """Yield the name of each documented object and the checks that apply to it."""
    for name in reference_names():
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
    """Yield one line per problem."""
    for name, checks in docstrings():
        result = validate(name)
        for code, text in result["errors"]:
            if code not in checks or (name, code) in EXCEPTIONS:
                continue
            if code == "RT01" and "Yields\n" in result["docstring"]:
                continue
            if code == "PR07" and DESCRIBED_BY_TYPE.match(text):
                continue
            yield f"{name}: {code} {text}"


def main():
    """Print the problems."""
    found = list(problems())
    print(*found, sep="\n")
    print(f"{len(found)} problems in {len(list(docstrings()))} docstrings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
