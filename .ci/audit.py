"""Audit the pinned versions for known vulnerabilities, or say that nobody could.

``python .ci/audit.py constraints.txt``, where ``pip-audit`` is installed.

pip-audit leaves out, with exit code 0, whatever its source of advisories does not
know; cut off from all sources it "finds no known vulnerabilities" in anything. So a
version that is known to be vulnerable is audited along: if it goes unnoticed, nothing
was audited.

Exit codes: 0 all audited, nothing found; 1 vulnerable versions, or some that could not
be audited; 2 pip-audit failed; 3 no advisories can be reached: nothing was audited.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import urllib.request

# CVE-2021-33503 and others; published, so every source that works knows it.
CANARY = ("urllib3", "1.25.0")
SOURCES = (
    f"https://pypi.org/pypi/{CANARY[0]}/{CANARY[1]}/json",
    "https://api.osv.dev/v1/vulns/PYSEC-2021-108",
)


def run_pip_audit(requirements):
    """What pip-audit says of each line, by name; an exception if it says nothing."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write("\n".join(requirements))
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--requirement", file.name]
        command += ["--no-deps", "--disable-pip", "--format", "json"]
        command += ["--progress-spinner", "off"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=600, encoding="utf-8"
        )
    try:
        return json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        raise RuntimeError(done.stderr.strip().splitlines()[-1:]) from None


def is_offline():
    """Whether no source of advisories answers with anything about the canary."""
    for url in SOURCES:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                if CANARY[0].encode() in answer.read():
                    return False
        except OSError:
            continue
    return True


def judge(requirements, audit, offline):
    """Exit code and message.

    Parameters
    ----------
    requirements : list of str
        ``name==version``.
    audit : callable
        Of a list of requirements; see :func:`run_pip_audit`.
    offline : callable
        See :func:`is_offline`; asked only if nothing was audited.
    """
    canary = "==".join(CANARY)
    try:
        # By itself: its name may well be among the others, in a later version.
        (known,) = audit([canary])
        if not known.get("vulns"):
            if offline():
                return (
                    3,
                    f"AUDIT NOT DONE: no advisories of any of {len(SOURCES)} sources",
                )
            return (
                1,
                f"the audit is blind: it does not know that {canary} is vulnerable",
            )
        found = audit(requirements)
    except RuntimeError as error:
        if offline():
            return 3, f"AUDIT NOT DONE: {error}"
        return 2, f"pip-audit failed: {error}"
    vulnerable = [
        f"{one['name']} {one['version']}: {vuln['id']}"
        for one in found
        for vuln in one.get("vulns", [])
    ]
    skipped = [one for one in found if "skip_reason" in one]
    lines = vulnerable + [
        f"not audited: {s['name']}: {s['skip_reason']}" for s in skipped
    ]
    n_missing = len(requirements) - len(found)
    if n_missing > 0:
        lines.append(f"not audited: {n_missing} more")
    if lines or not requirements:
        return 1, "\n".join(lines or ["there is nothing to audit"])
    return 0, f"{len(found)} pinned versions audited, no known vulnerability"


def read_requirements(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.partition("#")[0].strip() for line in file]
    return [line for line in lines if line]


def main(path):
    if importlib.util.find_spec("pip_audit") is None:
        print("pip-audit is not installed", file=sys.stderr)
        return 2
    code, message = judge(read_requirements(path), run_pip_audit, is_offline)
    print(message, file=sys.stderr if code else sys.stdout)
    if code == 3 and os.environ.get("SKBREATH_REQUIRE_AUDIT") == "true":
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
