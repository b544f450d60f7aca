"""The audit of dependencies fails when it could audit nothing."""

import importlib.util
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
