"""Schemathesis' settings for one identity: which phases, how many cases, and the few of its checks that are bent."""

from dataclasses import dataclass
from typing import Any

SEMANTIC = ["2xx", "3xx", "401", "403", "404", "409", "410", "412", "413", "422", "428", "429"]
AS_OPENAI = "^/v1/(chat/)?completions$"
"""Operations that answer 400 where ours answer 422, as OpenAI's clients expect."""


@dataclass(frozen=True)
class Effort:
    """How much one run does. `fuzz` is cases an operation, `walks` are sequences of operations."""

    coverage: bool
    fuzz: int
    walks: int


def settings_of(token: str | None, effort: Effort) -> str:
    """TOML."""
    document: dict[str, Any] = {
        "hooks": "tests.trials.hostile.http_checks",
        "continue-on-failure": True,
        "request-timeout": 60,
        "cache": {"enabled": False},
        # whatever a stranger's headers and query hold besides ours is nobody's business: every HTTP server ignores it
        "generation": {"allow-extra-parameters": False, "no-shrink": True},
        "phases": {
            "examples": {"enabled": False},
            "coverage": {"enabled": effort.coverage},
            "fuzzing": {"enabled": effort.fuzz > 0, "generation": {"max-examples": max(effort.fuzz, 1)}},
            "stateful": {"enabled": effort.walks > 0, "generation": {"max-examples": max(effort.walks, 1)}},
        },
        "checks": {
            # It takes JSON Schema for all that makes a request right. Ours may also name a version that is not there,
            # a cursor that we never gave out or an ETag of yesterday: 4xx with their reason (`a_refusal_says_why`).
            # How many operations answered with success stands in the summary instead.
            "positive_data_acceptance": {"expected-statuses": SEMANTIC},
            "max_response_time": 600,  # how long an answer takes is the load generator's question, not this one's
        },
    }
    if token is not None:
        document["auth"] = {"openapi": {"token": {"bearer": token}}}
    bent = {"positive_data_acceptance": {"expected-statuses": ["400", *SEMANTIC]}}
    return (
        f'{toml(document)}[[operations]]\ninclude-path-regex = "{AS_OPENAI}"\n{toml({"operations": {"checks": bent}})}'
    )


def toml(document: dict[str, Any]) -> str:
    """Values first, then tables; keys are ours and need no quotes."""
    return "\n".join(_lines(document, "")) + "\n"


def _lines(table: dict[str, Any], name: str) -> list[str]:
    values = [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    lines = [f"[{name}]", *values] if name and values else values
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{name}.{key}" if name else key)
    return lines


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value) if isinstance(value, int | float) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
