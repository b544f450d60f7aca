"""The documentation matches the code: names, files, and examples that run."""

import importlib
import inspect
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pages import DOCS, REPOSITORY, python_blocks

import skbreath


@pytest.fixture(scope="module")
def reference():
    """List the public names."""
    return [name for name in skbreath.__all__ if name != "__version__"]


@pytest.fixture
def extension(monkeypatch):
    """Return a function that imports an extension of the documentation."""
    pytest.importorskip("sphinx", reason='needs the extra "docs"')
    monkeypatch.syspath_prepend(DOCS / "extensions")
    return importlib.import_module


def test_reference_lists_every_public_name(reference, extension):
    listed = extension("api_pages").public_names()
    constants = (DOCS / "api.rst").read_text(encoding="utf-8")
    described = re.findall(r"^\.\. data:: skbreath\.(\S+)$", constants, re.MULTILINE)
    assert sorted([*sum(listed.values(), []), *described]) == sorted(reference)
    for package in listed:
        assert f"   api/{package}\n" in constants


def public_signatures(reference):
    """Yield the functions of the reference and the public methods of its classes."""
    for name in reference:
        found = getattr(skbreath, name)
        if inspect.isclass(found):
            for method, member in vars(found).items():
                if isinstance(member, (classmethod, staticmethod)):
                    member = member.__func__
                if isinstance(member, property):
                    member = member.fget
                public = not method.startswith("_") or method in (
                    "__init__",
                    "__call__",
                )
                if public and callable(member):
                    yield f"{name}.{method}", inspect.unwrap(member)
        elif callable(found):
            yield name, inspect.unwrap(found)


def test_public_signatures_are_annotated(reference):
    bare, names = [], []
    for name, function in public_signatures(reference):
        names.append(name)
        signature = inspect.signature(function)
        parameters = {p.name: p.annotation for p in signature.parameters.values()}
        parameters.pop("self", None)
        parameters.pop("cls", None)
        parameters["return"] = signature.return_annotation
        missing = [
            key for key, what in parameters.items() if what is inspect.Signature.empty
        ]
        if missing:
            bare.append(f"{name}: {', '.join(missing)}")
    # Functions, methods and constructors were all found.
    assert {"save_model", "BreathFeatures.fit", "AudioReader.__init__"} <= set(names)
    assert not bare, "\n".join(bare)


def test_page_of_commands_is_up_to_date():
    module = runpy.run_path(str(DOCS / "write_commands.py"))
    page = module["PAGE"].read_text(encoding="utf-8")
    assert page == module["page"](), "run: python docs/write_commands.py"
    assert "\n## skbreath predict\n" in page
    assert "--reject-below" in page


@pytest.mark.parametrize(
    "page", sorted(REPOSITORY.glob("*.md")), ids=lambda page: page.stem
)
def test_pages_of_the_repository_name_files_that_exist(page):
    text = page.read_text(encoding="utf-8")
    folders = "docs|benchmarks|fuzz|examples|skbreath"
    names = set(re.findall(rf"\b((?:{folders})/[\w./-]+)", text))
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    new = {"docs/_build/html", "skbreath/features/energy_course.py"}
    for name in {*names, *links} - new:
        assert (REPOSITORY / name.rstrip(".")).exists(), name


def test_broken_links_of_built_pages_are_found(tmp_path):
    found = runpy.run_path(str(DOCS / "check_links.py"))["broken_links"]
    (tmp_path / "a b.html").write_text('<h1 id="x">', encoding="utf-8")
    links = ["a%20b.html#x", "https://elsewhere.org/none", "#here", "", "none.html"]
    links += ["a%20b.html#none", "#none", "a%20b.html?v=1"]
    text = "".join(f'<a href="{link}" id="here">' for link in links)
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    broken = [link for _, link in found(tmp_path)]
    assert broken == ["#none", "a%20b.html#none", "none.html"]


def test_every_picture_is_in_the_gallery():
    files = (REPOSITORY / "examples").glob("plot_*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    pictures = [name for name in skbreath.__all__ if name.endswith("Display")]
    drawn = [name for name in pictures if re.search(rf"{name}[.(]", text)]
    assert len(drawn) > 5 and drawn == pictures


def test_every_result_is_shown_and_read_to_the_last_number(extension):
    tables = extension("result_tables")
    pages = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    shown = set(re.findall(r"^```\{results\} (\w+)$", pages, flags=re.MULTILINE))
    checked_in = {path.stem: path for path in tables.RESULTS.glob("*.txt")}
    assert len(shown) > 15 and shown <= set(checked_in)
    for path in checked_in.values():
        head, blocks = tables.read_results(path)
        assert any(block["rows"] for block in blocks), path
        words = head
        for block in blocks:
            words = [*words, block["caption"], *block["columns"], *block["notes"]]
            words = sum(block["rows"], words)
        text = path.read_text(encoding="utf-8")
        assert Counter(" ".join(words).split()) == Counter(text.split()), path


FLAGS = re.MULTILINE | re.DOTALL
# File, table, row, column, as quoted in the README.
QUOTED = [
    ("bench_phases_people", "Nose", "as in the package, certain labels", "I 50 %"),
    ("bench_phases_people", "Nose", "as in the package, certain labels", "E 50 %"),
    ("bench_phases_people", "Nose", "as in the package, all recordings", "I 50 %"),
    ("bench_phases_people", "Nose", "as in the package, all recordings", "E 50 %"),
    *(
        ("train_pretrained", "Days not trained on", row, column)
        for row in ("accuracy", "roc_auc")
        for column in ("each clip alone", "with its recording")
    ),
]


@pytest.mark.parametrize("file, caption, row, column", QUOTED)
def test_figures_of_the_readme_are_those_measured(
    extension, file, caption, row, column
):
    tables = extension("result_tables")
    _, blocks = tables.read_results(tables.RESULTS / f"{file}.txt")
    (block,) = (b for b in blocks if b["caption"].startswith(caption))
    (cells,) = (cells for cells in block["rows"] if cells[0] == row)
    value, low, high = tables.read_interval(cells[block["columns"].index(column)])
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert f"{value:.2f} [{low:.2f}, {high:.2f}]" in readme


def test_tables_and_columns_that_pages_show_exist(extension):
    tables, shown = extension("result_tables"), 0
    for page in DOCS.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for name, given in re.findall(
            r"^```\{results\} (\w+)\n(.*?)^```$", text, FLAGS
        ):
            options = dict(re.findall(r"^:([\w-]+): (.*)$", given, re.MULTILINE))
            _, blocks = tables.read_results(tables.RESULTS / f"{name}.txt")
            columns = [*options.get("columns", "").split("; "), options.get("chart")]
            for caption in options.get("tables", "").split("; "):
                found = [b for b in blocks if b["caption"].startswith(caption)]
                assert found, (page, name, caption)
                needed = {column for column in columns if column}
                assert needed <= set(found[0]["columns"]), (page, name, caption)
                shown += 1
    assert shown > 30


def test_readme_is_short():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150


def test_values_with_intervals_are_read(extension):
    read_interval = extension("result_tables").read_interval
    assert read_interval("0.77 [0.75, 0.79]") == (0.77, 0.75, 0.79)
    assert read_interval("66% (51%..81%)") == (66, 51, 81)
    assert read_interval("13,822 (9,057..14,409)") == (13822, 9057, 14409)
    assert read_interval("+0.5") == (0.5, 0.5, 0.5)
    assert read_interval("12 of 25") is None


def test_map_of_packages_has_all_of_them(extension):
    rows = extension("result_tables").packages()
    folders = {p.parent.name for p in (REPOSITORY / "skbreath").glob("*/__init__.py")}
    assert {name for _, name, *_ in rows} == folders
    assert all(text for row in rows for text in row)


def test_citation_names_this_version():
    text = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {skbreath.__version__}\n" in text


def test_library_links():
    pytest.importorskip("docutils", reason='needs the extra "docs"')
    module = runpy.run_path(str(DOCS / "extensions/library_links.py"))
    address_of = module["address_of"]
    assert address_of("sklearn.pipeline.Pipeline").endswith(
        "/modules/generated/sklearn.pipeline.Pipeline.html#sklearn.pipeline.Pipeline"
    )
    assert address_of("optuna.samplers.TPESampler").startswith(
        "https://optuna.readthedocs.io/en/stable/reference/samplers/generated/"
    )
    # A method is on the page of its class.
    assert "/logging.html#logging.Logger.info" in address_of("logging.Logger.info")
    assert address_of("unknown.name") is None


def test_contributing_guide_names_what_exists():
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)`", page, flags=re.MULTILINE)
    assert len(rows) > 10
    assert all((REPOSITORY / "skbreath" / name).is_dir() for name in rows)
    new = {"skbreath/features/energy_course.py", "tests/features/test_energy_course.py"}
    paths = re.findall(r"[`( ]((?:skbreath|tests|docs|benchmarks)/[\w./]+)", page)
    for path in set(paths) - new - {"docs/_build/html", "tests/", "skbreath/"}:
        assert (REPOSITORY / path.rstrip(".")).exists(), path
    for module in re.findall(r"python -m (benchmarks\.\w+)", page):
        assert (REPOSITORY / f"{module.replace('.', '/')}.py").is_file(), module
    (file, keyword), *_ = re.findall(r"pytest (tests/\S+\.py) -k (\w+)", page)
    source = (REPOSITORY / file).read_text(encoding="utf-8")
    assert re.search(rf"^def test_\w*{keyword}", source, flags=re.MULTILINE)


@pytest.mark.slow
def test_contributing_guide_works_when_followed_to_the_letter(tmp_path):
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    generated = shutil.ignore_patterns("_build", "generated", "auto_examples")
    for name in ("docs", "skbreath", "tests"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=generated)
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)

    def insert(path, line, after):
        *before, rest = (tmp_path / path).read_text("utf-8").partition(after)
        (tmp_path / path).write_text("".join([*before, line, rest]), "utf-8")

    def run(command):
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = os.environ | {"PATH": programs, "PYTHONPATH": str(tmp_path)}
        settings = {"cwd": tmp_path, "env": env, "encoding": "utf-8"}
        done = subprocess.run(command, shell=True, capture_output=True, **settings)
        assert done.returncode == 0, done.stdout + done.stderr

    module, tests = python_blocks(REPOSITORY / "CONTRIBUTING.md")
    path, test = re.findall(r"`((?:skbreath|tests)/features/\w+\.py)`", text)
    (tmp_path / path).write_text(module, "utf-8")
    (tmp_path / test).write_text(tests, "utf-8")
    (line,) = re.findall(r"^(from \.features.*\n)", text, flags=re.MULTILINE)
    insert("skbreath/__init__.pyi", line, "ChannelScaler as ChannelScaler\n")
    known = "skbreath/model_files/known_types.py"
    insert(known, '    "EnergyCourse",\n', '    "CutMix",\n')
    checks = [
        "tests/repository/test_documentation.py -k 'reference_lists or annotated or",
        "every_public_estimator or EnergyCourse or energy_course'",
        "tests/model_files/test_model_file_attacks.py",
    ]
    run(f"pytest {path} {test} {' '.join(checks)}")
    commands = re.findall(r"^\| .* \| `(.+)` \|$", text, flags=re.MULTILINE)
    quick = ("pytest tests/", "pytest skbreath/", "ruff ", "lint-imports")
    chosen = [command for command in commands if command.startswith(quick)]
    assert len(chosen) == 5
    for command in chosen:
        # All tests of a package take long, and run in the whole suite anyway.
        is_folder = re.fullmatch(r"pytest tests/\w+", command)
        run(f"{command} --collect-only" if is_folder else command)
