"""What we promise beyond OpenAPI, as checks that schemathesis runs on every answer (its `hooks` setting loads this)."""

import os
from typing import Any

import schemathesis

from tests.contract.test_authorisation import MAY, PUBLIC
from tests.trials.hostile.refusals import lacks

IDENTITY = os.environ["GRAFTWORK_HOSTILE_IDENTITY"]
"""A role, or `nobody` (no token), or `stranger` (one that we never gave out)."""
GUARDED = os.environ["GRAFTWORK_HOSTILE_TARGET"] == "api"
LONGEST_WAIT = 0.2
"""Seconds of a long poll: a run has better things to do than to wait for them."""


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """In every phase: `map_query` does not see what the coverage phase sends."""
    wait = _number(case.query.get("wait")) if isinstance(case.query, dict) else None
    if wait is not None and 0 <= wait <= 60:
        case.query["wait"] = min(wait, LONGEST_WAIT)


def _number(value: Any) -> float | None:
    """The number that a query's text says, or what schemathesis will write as one."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


@schemathesis.check
def a_refusal_says_why(ctx: Any, response: Any, case: Any) -> None:
    """RFC 9457, its status repeated, a detail, and what is wrong named in a 422: `refusals.py` says how."""
    if response.status_code < 400 or response.request.method == "HEAD":
        return
    headers = {name.lower(): values[0] for name, values in response.headers.items()}
    missing = [*lacks(response.status_code, headers, response.json(), by_gateway=not GUARDED)]
    assert not missing, "; ".join(missing)


@schemathesis.check
def a_role_may_do_its_own(ctx: Any, response: Any, case: Any) -> None:
    """Nobody gets anything but 4xx, and a role nothing that the table of roles does not give it."""
    may = MAY.get(case.operation.label, PUBLIC) if GUARDED else PUBLIC
    if may == PUBLIC or response.status_code >= 400 or case.method.upper() != case.operation.method.upper():
        return
    if "authorization" not in {name.lower() for name in response.request.headers}:
        raise AssertionError(f"{response.status_code} without a token")
    assert IDENTITY in may.split() or IDENTITY == "admin", f"{IDENTITY} got {response.status_code}"
