"""The audit of dependencies fails when it could audit nothing."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "audit.py"
if not SCRIPT.is_file():
    pytest.skip("the scripts of CI are not in this archive", allow_module_level=True)
SPEC = importlib.util.spec_from_file_location("audit", SCRIPT)
audit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)

CANARY = "==".join(audit.CANARY)


def source(vulnerable=(), unknown=()):
    """A source of advisories, as pip-audit reports it."""

    def answer(requirements):
        found = []
        for name, version in (one.split("==") for one in requirements):
            entry = {"name": name, "version": version, "vulns": []}
            if f"{name}=={version}" in vulnerable:
                entry["vulns"] = [{"id": "CVE-1"}]
            if name in unknown:
                entry = {"name": name, "skip_reason": "not found"}
            found.append(entry)
        return found

    return answer


def judge(answer, offline=False, requirements=("a==1", "b==2")):
    return audit.judge(list(requirements), answer, lambda: offline)


def test_all_audited_and_nothing_found():
    code, message = judge(source(vulnerable=[CANARY]))
    assert code == 0 and message.startswith("2 pinned versions audited")


def test_vulnerable_and_unknown_versions_fail_and_are_named():
    code, message = judge(source(vulnerable=[CANARY, "b==2"]))
    assert (code, message) == (1, "b 2: CVE-1")
    code, message = judge(source(vulnerable=[CANARY], unknown=["a"]))
    assert code == 1 and message.startswith("not audited: a")
    assert judge(source(vulnerable=[CANARY]), requirements=[])[0] == 1


@pytest.mark.parametrize("blind", [source(), source(unknown=["urllib3", "a", "b"])])
def test_a_source_that_knows_nothing_is_no_audit(blind):
    code, message = judge(blind, offline=True)
    assert code == 3 and message.startswith("AUDIT NOT DONE")
    code, message = judge(blind, offline=False)
    assert code == 1 and "blind" in message


def test_a_failure_of_the_tool_is_told_from_being_offline():
    def broken(requirements):
        raise RuntimeError("no such host")

    assert judge(broken, offline=True)[0] == 3
    assert judge(broken, offline=False) == (2, "pip-audit failed: no such host")


def test_every_pinned_version_is_audited():
    pinned = audit.read_requirements(SCRIPT.parents[1] / "constraints.txt")
    assert len(pinned) > 50 and all("==" in one for one in pinned)


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-oldest.txt"])
def test_pinned_versions_are_those_that_the_package_allows(file):
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    root = SCRIPT.parents[1]
    pins = [line.split("==") for line in audit.read_requirements(root / file)]
    pinned = {canonicalize_name(name): version for name, version in pins}
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["test"]
    for allowed in map(Requirement, lines):
        version = pinned[canonicalize_name(allowed.name)]
        assert allowed.specifier.contains(version), allowed
        (lowest,) = (s.version for s in allowed.specifier if s.operator == ">=")
        # An older PyTorch without GPU libraries is not at hand.
        if file == "constraints-oldest.txt" and allowed.name != "torch":
            assert Version(version) == Version(lowest), allowed


def test_workflow_names_files_that_exist():
    yaml = pytest.importorskip("yaml")
    root = SCRIPT.parents[1]
    text = (root / ".github/workflows/tests.yml").read_text("utf-8")
    job = yaml.safe_load(text)["jobs"]["versions"]
    matrix = job["strategy"]["matrix"]
    assert matrix["versions"] == ["lowest", "pinned", "newest", "pre-release"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {
        "ubuntu",
        "macos",
        "windows",
    }
    commands = " ".join(step.get("run", "") for step in job["steps"])
    named = re.findall(r"tests/\w+|constraints\S*\.txt", commands)
    assert len(named) > 8 and all((root / name).exists() for name in named)
