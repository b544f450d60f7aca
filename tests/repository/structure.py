"""Count modules, lines, import circles and private imports.

``python tests/repository/structure.py`` prints the table.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "skbreath"
TESTS = REPOSITORY / "tests"


def modules():
    """List the modules of the package, without the ``__init__`` files."""
    return [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]


def n_lines():
    """Count all lines of the package, docstrings included."""
    return sum(len(path.read_text("utf-8").splitlines()) for path in _sources(PACKAGE))


def files_per_folder():
    """Count the Python files of each folder of the package and of the tests."""
    counts = {}
    for path in [*_sources(PACKAGE), *_sources(TESTS)]:
        folder = str(path.parent.relative_to(REPOSITORY))
        counts[folder] = counts.get(folder, 0) + 1
    return dict(sorted(counts.items()))


def import_circles():
    """Find a circle of imports, those inside functions included.

    Returns
    -------
    circle : list of str
        Modules, each imported by the next; empty if there is no circle.
    """
    import grimp

    graph = grimp.build_graph("skbreath", exclude_type_checking_imports=True)
    imports = {
        name: graph.find_modules_directly_imported_by(name) for name in graph.modules
    }
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def private_imports():
    """List imports of private names of other libraries outside ``utils/*_compat.py``.

    Returns
    -------
    found : list of str
        File, line and name.
    """
    found = []
    for path in _sources(PACKAGE):
        if path.parent.name == "utils" and path.name.endswith("_compat.py"):
            continue
        for line, module, name in _imports(path):
            parts = [*module.split("."), *name.split(".")]
            if module and not module.startswith(".") and any(map(_is_private, parts)):
                found.append(f"{path.relative_to(REPOSITORY)}:{line} {module}.{name}")
    return found


def tests_with_private_imports():
    """List the test files that import more than the public names of skbreath."""
    return sorted(
        str(path.relative_to(REPOSITORY))
        for path in _sources(TESTS)
        if any(_is_inside(module, name) for _, module, name in _imports(path))
    )


def calls_without_encoding():
    """List the calls that read or write text in the encoding of the machine.

    Of these ruff (PLW1514) finds only those of a path that it knows to be one.
    """
    found = []
    for path in _sources(REPOSITORY):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", None)
            keywords = {keyword.arg for keyword in node.keywords}
            is_text = name in ("run", "Popen", "check_output") and "text" in keywords
            least = {"read_text": 1, "write_text": 2}.get(name, 0)
            if len(node.args) < least or is_text:
                if "encoding" not in keywords:
                    found.append(f"{path.relative_to(REPOSITORY)}:{node.lineno}")
    return found


def _sources(folder):
    return sorted(folder.rglob("*.py"))


def _imports(path):
    """List (line, module, name) of all imports of a file; relative ones with a dot."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found += [(node.lineno, module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, "") for alias in node.names]
    return found


def _is_private(name):
    return name.startswith("_") and not name.startswith("__")


def _is_inside(module, name):
    if f"{module}.{name}" in ("skbreath.cli.main", "skbreath.pretrained.PRETRAINED"):
        return False  # the command, and the documented path of the pretrained model
    if module == "skbreath":
        return name and ((PACKAGE / name).is_dir() or _is_private(name))
    return module.startswith("skbreath.")


def main():
    """Print the table."""
    tests = tests_with_private_imports()
    for name, value in {
        "modules (without __init__)": len(modules()),
        "lines": n_lines(),
        "circle of imports": import_circles() or "none",
        "private imports outside compat modules": private_imports() or "none",
        f"test files with private imports ({len(tests)})": tests,
    }.items():
        print(f"{name}: {value}")
    for folder, count in files_per_folder().items():
        print(f"{folder}: {count} files")


if __name__ == "__main__":
    main()
