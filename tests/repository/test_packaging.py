"""The built wheel and sdist hold what they should."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the sdist, and from it the wheel."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", out, REPOSITORY]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return wheel, sdist


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
    assert shown.startswith(str(target)) and shown.count("0.1.0") == 2


def test_archives_carry_the_licence_and_no_audio(built):
    wheel, sdist = built
    inside_wheel = zipfile.ZipFile(wheel).namelist()
    inside_sdist = tarfile.open(sdist).getnames()
    for names in (inside_wheel, inside_sdist):
        assert any(name.endswith("LICENSE") for name in names)
        assert not any(name.endswith((".wav", ".flac", ".joblib")) for name in names)
    assert not any(name.startswith("tests/") for name in inside_wheel)


def test_archives_say_under_which_licence_they_are(built):
    wheel, sdist = built
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        (licence,) = (n for n in archive.namelist() if n.endswith("/LICENSE"))
        model = "skbreath/pretrained/clips.skb"
        assert archive.getinfo(model).file_size <= 6_000_000
        beside = archive.read("skbreath/pretrained/LICENSE-WEIGHTS.txt")
        texts = [archive.read(name), archive.read(licence)]
    with tarfile.open(sdist) as archive:
        (root,) = {name.split("/")[0] for name in archive.getnames()}
        names = (f"{root}/PKG-INFO", f"{root}/LICENSE")
        texts += [archive.extractfile(name).read() for name in names]
    for metadata in texts[::2]:
        lines = metadata.decode().splitlines()
        assert (
            "License-Expression: BSD-3-Clause AND CC-BY-NC-4.0 AND Apache-2.0" in lines
        )
        assert "License-File: LICENSE" in lines
        assert "License-File: skbreath/pretrained/LICENSE-WEIGHTS.txt" in lines
    assert b"CC BY-NC 4.0" in beside
    for licence in texts[1::2]:
        assert licence == (REPOSITORY / "LICENSE").read_bytes()
