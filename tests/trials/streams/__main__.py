"""`python -m tests.trials.streams`: streamed answers under hang-ups and kills, and whether each is counted once.

Ends with status 1 when an account does not agree with another, with 2 when it could not run.
"""

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.processes import end_on_sigterm
from tests.trials.streams.callers import Callers
from tests.trials.streams.plan import Leg, Strike, plan_legs
from tests.trials.streams.site import StreamsSite, streams_site
from tests.trials.streams.verdict import judge, judge_enough, table
from tests.trials.streams.versions import MODEL

LOOK_SECONDS = 0.02
SHOWN = 30


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _arguments(arguments)
    logging.basicConfig(level=logging.WARNING)
    end_on_sigterm()
    folder = Path(tempfile.mkdtemp(prefix="graftwork-streams-"))
    try:
        with streams_site(folder) as site:
            agree = _run(site, asked.requests, asked.seed)
    except AssertionError as error:
        print(f"streams: {error}\nlogs: {folder}", file=sys.stderr)  # noqa: T201
        return 2
    if not agree:
        _say(f"logs, journals and database: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _run(site: StreamsSite, requests: int, seed: int) -> bool:
    """Whether every account agrees, which is asked after each rollout."""
    began = time.monotonic()
    callers = Callers(site.gateways, MODEL, site.signing_key, f"{MODEL}/1")
    discrepancies: list[str] = []
    for leg in plan_legs(requests, seed):
        with site.canary():
            asyncio.run(_play(site, callers, leg))
            site.look_for_faults()
        verdict = judge(site.account(callers.seen))
        discrepancies = [*site.faults, *judge_enough(verdict.requests), *verdict.discrepancies]
        _say(table(verdict))
        _say(f"killed: {', '.join(f'{part} {times} times' for part, times in site.kills.items())}")
        word = f"{len(discrepancies)} DISCREPANCIES" if discrepancies else "every unit is counted once"
        _say(f"{len(callers.seen)} of {requests} requests, {time.monotonic() - began:.0f} s: {word}\n")
        if discrepancies:
            break
    for text in discrepancies[:SHOWN]:
        _say(f"WRONG {text}")
    return not discrepancies


async def _play(site: StreamsSite, callers: Callers, leg: Leg) -> None:
    await asyncio.gather(callers.ask(leg.requests), _strike(site, callers, leg.strikes))


async def _strike(site: StreamsSite, callers: Callers, strikes: Sequence[Strike]) -> None:
    """One after the other: what was killed is ready again before the next one falls."""
    before = callers.sent
    for strike in strikes:
        while callers.sent - before < strike.after:
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.to_thread(site.kill, strike.part)
        await asyncio.sleep(strike.rest)
        await asyncio.to_thread(site.restart, strike.part)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.trials.streams", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1, help="what is asked, who hangs up and what is killed when")
    asked = parser.parse_args(arguments)
    if asked.requests < 1:
        parser.error("--requests: expected 1 or more")
    return asked


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
