"""`python -m tests.trials.hostile`: thousands of strangers' requests and events against the real processes."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from schemas.roles import Role
from tests.support import broker, postgres_server
from tests.support.processes import end_on_sigterm
from tests.support.stored_figures import check_document
from tests.trials.hostile.outcome import Outcome

IDENTITIES = (*get_args(Role), "nobody", "stranger")


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _arguments(arguments)
    end_on_sigterm()
    if asked.database == "postgres" and (reason := postgres_server.missing()):
        print(f"hostile: cannot run on PostgreSQL: {reason}", file=sys.stderr)  # noqa: T201
        return 2
    if asked.what == "events" and asked.doors == "kafka" and (reason := broker.missing()):
        print(f"hostile: cannot run on Kafka: {reason}", file=sys.stderr)  # noqa: T201
        return 2
    name, campaign = (_http if asked.what == "http" else _events)(asked)
    try:
        if asked.docs:
            check_document(asked.docs, name)
    except (ValueError, OSError) as error:
        print(f"hostile: {error}", file=sys.stderr)  # noqa: T201
        return 2
    outcome = campaign()
    print(f"\n{outcome.text()}")  # noqa: T201
    if asked.docs:
        outcome.keep(asked.docs)
    return 1 if outcome.faults else 0


def _http(asked: argparse.Namespace) -> tuple[str, Callable[[], Outcome]]:
    from tests.trials.hostile import http_campaign as campaign

    run = partial(campaign.run, asked.target, asked.database, asked.cases, asked.seed, asked.only, asked.keep)
    return campaign.name_of(asked.target, asked.database), run


def _events(asked: argparse.Namespace) -> tuple[str, Callable[[], Outcome]]:
    from tests.trials.hostile import event_campaign as campaign

    run = partial(campaign.run, asked.doors, asked.database, asked.events, asked.seed, asked.kills)
    return campaign.name_of(asked.doors, asked.database), run


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.trials.hostile", description=__doc__)
    verbs = parser.add_subparsers(dest="what", required=True)
    http = verbs.add_parser("http", help="schemathesis over the OpenAPI, as every role and as nobody")
    http.add_argument("--target", choices=("api", "gateway"), default="api")
    http.add_argument("--cases", type=_positive, default=10_000, help="at least so many, if one is an admin (10000)")
    http.add_argument("--only", choices=IDENTITIES, action="append", help="as this identity alone; may be repeated")
    http.add_argument("--keep", type=Path, help="keep schemathesis' own reports and the server's log here")
    events = verbs.add_parser("events", help="good and bad events on graftwork.inbound, or at POST /v1/events")
    events.add_argument("--doors", choices=("kafka", "http"), default="kafka")
    events.add_argument("--events", type=_positive, default=10_000, help="so many (10000)")
    events.add_argument("--kills", type=int, default=2, help="SIGKILL the process that reads them so often (2)")
    for verb in (http, events):
        verb.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
        verb.add_argument("--seed", type=int, default=1, help="the same seed sends the same (1)")
        verb.add_argument("--docs", type=Path, help="write what came of it into this document, between its marks")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value}: expected at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
