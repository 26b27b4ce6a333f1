"""What a package says of its licence, as CycloneDX tells it: an SPDX expression where that is clear, else its words."""

from email.message import Message
from typing import Any, Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

_NAMED: Final = {
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "The MIT License (MIT)": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_FAMILIES: Final = {
    "Apache Software License": "Apache-",
    "BSD License": "BSD-",
    "Python Software Foundation License": "PSF-",
}
"""Classifiers that stand for several licences: they agree with each of them, and say none alone."""
_NOTHING: Final = ("", "UNKNOWN", "OSI Approved", "DFSG approved")


def licences(metadata: Message) -> list[dict[str, Any]]:
    """CycloneDX `licenses`, of one distribution's core metadata; empty where it says nothing."""
    said = _statements(metadata)
    identified = {found for one in said if (found := spdx(one))}
    if len(identified) == 1:
        (only,) = identified
        if all(spdx(one) or only.startswith(_FAMILIES.get(one, "?")) for one in said):
            return [choice(only)]
    return [{"license": {"name": one, "acknowledgement": "declared"}} for one in said]


def spdx(statement: str) -> str | None:
    """The SPDX expression of one statement; None where it may mean several, or none."""
    try:
        return str(canonicalize_license_expression(_NAMED.get(statement, statement)))
    except InvalidLicenseExpression:
        return None


def choice(expression: str) -> dict[str, Any]:
    """A licence of SPDX's list has an id; every other expression stands whole, and alone."""
    if " " in expression or expression.startswith("LicenseRef-"):
        return {"expression": expression, "acknowledgement": "declared"}
    return {"license": {"id": expression, "acknowledgement": "declared"}}


def _statements(metadata: Message) -> list[str]:
    """PEP 639's expression alone where there is one, else the free field's first line and the classifiers."""
    if expression := metadata.get("License-Expression"):
        return [expression]
    classifiers = [one.split(" :: ") for one in metadata.get_all("Classifier") or []]
    named = [parts[-1] for parts in classifiers if parts[0] == "License"]
    first = (metadata.get("License") or "").strip().partition("\n")[0].strip()
    if named and first.startswith("Copyright"):
        first = ""
    return [one for one in dict.fromkeys([first, *named]) if one not in _NOTHING]
