"""The built wheel and sdist hold what they should."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import skbreath

REPOSITORY = Path(__file__).resolve().parents[2]
# Of the files in the wheel that are not Python code.
SUFFIXES = {".pyi", ".typed", ".skb", ".txt", ".html", ".css", ".js", ".svg"}
MOST_BYTES = 10_000_000
# Of tests/repository, those that run from an sdist too.
PARTS = ("documentation", "structure")


def build(out, *options):
    """Build archives from the repository."""
    command = [sys.executable, "-m", "build", *options, "--outdir", out, REPOSITORY]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return wheel and sdist of SKBREATH_DIST, or build the wheel from the sdist."""
    out = Path(os.environ.get("SKBREATH_DIST", tmp_path_factory.mktemp("dist")))
    if not list(out.glob("*.whl")):
        build(out)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return wheel, sdist


@pytest.mark.slow
def test_wheel_of_the_sdist_has_every_module(built, tmp_path):
    # `.ci/run` installs the package with its dependencies in a fresh environment.
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
    subprocess.run([*install, "--target", target, built[0]], check=True, cwd=tmp_path)
    code = (
        "import skbreath\nfor name in skbreath.__all__: getattr(skbreath, name)\n"
        "print(skbreath.__file__, skbreath.__version__)\n"
        "skbreath.load_pretrained(); skbreath.cli.main(['--version'])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", "import skbreath.cli\n" + code],
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    ).stdout
    version = skbreath.__version__
    assert shown.startswith(str(target)) and shown.count(version) == 2


@pytest.mark.slow
def test_wheel_is_small_and_holds_the_package_alone(built):
    assert built[0].stat().st_size < MOST_BYTES
    with zipfile.ZipFile(built[0]) as archive:
        names = archive.namelist()
    folder = f"skbreath-{skbreath.__version__}.dist-info"
    about = sorted(name for name in names if name.startswith(folder))
    assert [name.removeprefix(f"{folder}/") for name in about] == [
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
        "licenses/skbreath/pretrained/LICENSE-WEIGHTS.txt",
    ]
    package = {name for name in names if name not in about}
    paths = [path for path in (REPOSITORY / "skbreath").rglob("*.*") if path.is_file()]
    kept = {
        path.relative_to(REPOSITORY).as_posix()
        for path in paths
        if path.suffix in {".py", *SUFFIXES}
    }
    assert package == kept


@pytest.mark.slow
def test_sdist_builds_the_same_wheel_as_the_repository(built, tmp_path):
    build(tmp_path, "--wheel")
    (other,) = tmp_path.glob("*.whl")
    contents = []
    for path in (built[0], other):
        with zipfile.ZipFile(path) as archive:
            contents.append({file.filename: file.CRC for file in archive.infolist()})
    assert contents[0] == contents[1]


@pytest.mark.slow
def test_sdist_passes_quick_tests(built, tmp_path):
    with tarfile.open(built[1]) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    names = ["tests/phases", *map("tests/repository/test_{}.py".format, PARTS)]
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-m", "not slow", *names]
    env = os.environ | {"PYTHONPATH": str(folder), "CI": "false"}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_archives_carry_the_licences_and_no_audio(built):
    wheel, sdist = built
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        (licence,) = (n for n in archive.namelist() if n.endswith("/LICENSE"))
        beside = archive.read("skbreath/pretrained/LICENSE-WEIGHTS.txt")
        texts = [archive.read(name), archive.read(licence)]
        names = archive.namelist()
    with tarfile.open(sdist) as archive:
        names += archive.getnames()
        (root,) = {name.split("/")[0] for name in archive.getnames()}
        inside = (f"{root}/PKG-INFO", f"{root}/LICENSE")
        texts += [archive.extractfile(name).read() for name in inside]
    assert not any(name.endswith((".wav", ".flac", ".joblib")) for name in names)
    for metadata in texts[::2]:
        lines = metadata.decode().splitlines()
        assert (
            "License-Expression: BSD-3-Clause AND CC-BY-NC-4.0 AND Apache-2.0" in lines
        )
        assert f"Version: {skbreath.__version__}" in lines
        assert "License-File: LICENSE" in lines
        assert "License-File: skbreath/pretrained/LICENSE-WEIGHTS.txt" in lines
    assert b"CC BY-NC 4.0" in beside
    for licence in texts[1::2]:
        assert licence == (REPOSITORY / "LICENSE").read_bytes()


def test_conda_recipe_needs_what_the_package_needs():
    yaml = pytest.importorskip("yaml")
    text = (REPOSITORY / "conda/recipe.yaml").read_text(encoding="utf-8")
    recipe = yaml.safe_load(text)
    assert recipe["context"]["version"] == skbreath.__version__
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    project = project["project"]
    assert recipe["about"]["license"] == project["license"]
    assert recipe["about"]["license_file"] == project["license-files"]
    # Names of conda-forge that differ from those of PyPI.
    renamed = {
        "matplotlib-base": "matplotlib",
        "pysoundfile": "soundfile",
        "soxr-python": "soxr",
        "pytorch": "torch",
    }
    python, *needed = (line.split(" ") for line in recipe["requirements"]["run"])
    assert python == ["python", project["requires-python"]]
    needed = {renamed.get(name, name): versions for name, versions in needed}
    parts = (re.match(r"([\w-]+)(.*)", line) for line in project["dependencies"])
    assert needed == {part[1]: part[2] for part in parts}
