"""What every refusal says, wherever it comes from: RFC 9457 with our members, and in a 422 what is wrong."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from controlplane.store.database import UNSTORABLE
from schemas.problem import MEDIA_TYPE

NAMED: Final = re.compile(r"[\w. -]+: \S")
"""How a gateway, which never repeats a caller's words, names a field: `texts.0: Input should be a valid string`."""
GENERAL: Final = "The request is understood and wrong"


def lacks(status: int, headers: Mapping[str, str], problem: Mapping[str, Any], *, by_gateway: bool) -> Iterator[str]:
    """What is missing in this refusal; the names of `headers` are in lower case."""
    if headers.get("content-type") != MEDIA_TYPE:
        yield f"content-type {headers.get('content-type')}"
    if problem.get("status") != status:
        yield f"status {problem.get('status')} in the body"
    for member in ("title", "detail"):
        if not problem.get(member):
            yield f"no {member}"
    if status == 405 and not headers.get("allow"):
        yield "a 405 without Allow"
    if status == 422 and not (_a_gateway_names_it(problem) if by_gateway else _the_api_names_it(problem)):
        yield f"a 422 that names nothing: {problem}"


def _the_api_names_it(problem: Mapping[str, Any]) -> bool:
    """One `field`, or `errors` with what was expected of each. A database alone does not say which value it is."""
    if problem.get("field") or problem.get("detail") == UNSTORABLE:
        return True
    errors = problem.get("errors") or []
    return bool(errors) and all(error.get("field") and error.get("expected") for error in errors)


def _a_gateway_names_it(problem: Mapping[str, Any]) -> bool:
    """In the detail, or by a title of its own."""
    return problem.get("title") != GENERAL or bool(NAMED.match(problem.get("detail") or ""))
