"""Asks for known vulnerabilities of what requirements.lock pins: `python -m deploy.audit`.

pip-audit says "no known vulnerabilities" also where no advisory could be read. So a package that is known to have one
is asked for first: where that is not found, nothing was audited. Ends with status 0 when all were audited and each
finding has its reason, with 1 when one has none, and with 3 when nothing, or not everything, could be audited.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from deploy.sbom import LOCK

PIP_AUDIT: Final = "pip-audit==2.9.0"
PROBE: Final = "idna==3.6"
"""CVE-2024-3651, which is in every database of advisories."""
EXCEPTIONS: Final = Path(__file__).parent / "audit_exceptions.toml"
SERVICE: Final = os.environ.get("GRAFTWORK_AUDIT_SERVICE", "pypi")
"""`pypi`: the package index's own data; `osv`: https://osv.dev, where it is reachable."""
SECONDS: Final = 300
FOUND, NOT_AUDITED = 1, 3

Finding = tuple[str, str, str]
"""Package, version and advisory."""


def audit(requirements: str) -> list[dict[str, Any]]:
    """pip-audit's dependencies, each with its `vulns` or with a `skip_reason`. Raises OSError when it does not run."""
    with tempfile.TemporaryDirectory() as folder:
        file, report = Path(folder) / "requirements.txt", Path(folder) / "report.json"
        file.write_text(requirements)
        command = ["uvx", "--from", PIP_AUDIT, "pip-audit", "-r", str(file), "--no-deps", "--disable-pip"]
        command += ["-s", SERVICE, "-f", "json", "-o", str(report), "--progress-spinner", "off"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        if not report.is_file():
            raise OSError(f"pip-audit wrote no report: {done.stderr.strip()[-300:]}")
        found: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
        return found


def findings(dependencies: list[dict[str, Any]]) -> Iterator[Finding]:
    for one in dependencies:
        for vulnerability in one.get("vulns", []):
            yield one["name"], one["version"], vulnerability["id"]


def unexplained(found: list[Finding], exceptions: dict[str, str]) -> list[Finding]:
    return [finding for finding in found if not exceptions.get(finding[2], "").strip()]


def pins(lock: str) -> str:
    """Without hashes and markers: an advisory is about a version, wherever it is installed."""
    names = dict.fromkeys(re.findall(r"^[A-Za-z0-9][A-Za-z0-9._-]*==[^\s;\\]+", lock, re.MULTILINE))
    return "\n".join(name.partition("+")[0] for name in names) + "\n"


def main() -> int:
    try:
        if not list(findings(audit(PROBE))):
            return not_audited(f"{SERVICE} knows nothing about {PROBE}, so its advisories are not reachable here")
        asked = pins(LOCK.read_text())
        dependencies = audit(asked)
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
        return not_audited(f"{type(error).__name__}: {error}")
    exceptions: dict[str, str] = tomllib.loads(EXCEPTIONS.read_text()) if EXCEPTIONS.is_file() else {}
    return judge(dependencies, exceptions, asked)


def judge(dependencies: list[dict[str, Any]], exceptions: dict[str, str], asked: str) -> int:
    left = unexplained(list(findings(dependencies)), exceptions)
    for package, version, advisory in left:
        sys.stdout.write(f"{package} {version}: {advisory}; upgrade it, or say in {EXCEPTIONS.name} why not\n")
    answered = {normal(one["name"]) for one in dependencies if "skip_reason" not in one}
    unanswered = sorted({normal(line.partition("==")[0]) for line in asked.split()} - answered)
    _say(f"{len(answered)} packages asked about, {len(left)} findings without a reason")
    if left:
        return FOUND
    return not_audited(f"no data about {', '.join(unanswered)}") if unanswered else 0


def not_audited(why: str) -> int:
    _say(f"NOT AUDITED: {why}")
    return NOT_AUDITED


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _say(words: str) -> None:
    sys.stdout.write(f"audit: {words}\n")


if __name__ == "__main__":
    sys.exit(main())
