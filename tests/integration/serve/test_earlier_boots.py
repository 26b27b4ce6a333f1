"""What killed boots left is told by the next one, whatever lies beside it, and nothing is thrown away unheard."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from controlplane.settings import Settings
from schemas.problem import MEDIA_TYPE
from schemas.serving import ArmCounts, GenerationSecond, LostUnits, Observation
from tests.support.worlds.gateway import GatewayInProcess
from workers.serve.control import ControlPlane, Refused, Unreachable
from workers.serve.counting.earlier_boots import EarlierBoots
from workers.serve.counting.journal import Journal
from workers.serve.counting.metrics import Metrics
from workers.serve.counting.second import Arrival
from workers.serve.files import GatewayFiles

KILLED, PRESENT = UUID(int=2**127), UUID(int=2**126)


@pytest.fixture
def files(site: GatewayInProcess) -> Iterator[GatewayFiles]:
    with closing(GatewayFiles(site.home, "reviews", "gateway-1")) as files:
        yield files


def killed(files: GatewayFiles, sealed: int = 1000) -> Path:
    """The journal of a boot that had sealed one second and ended a unit of the next one."""
    path = files.journal(KILLED)
    journal = Journal(path, KILLED)
    counts = GenerationSecond(generation=1, applied_weight=0.5, stable=ArmCounts(units=2), canary=ArmCounts(units=0))
    journal.seal(sealed, Observation(boot=KILLED, second=sealed, generations=(counts,)).model_dump_json())
    journal.end(journal.start(Arrival(sealed + 1, 1, 0.5, "canary")), "ok")
    journal.close()
    return path


def tell(site: GatewayInProcess, files: GatewayFiles) -> Metrics:
    """As a gateway does when it begins."""

    async def telling() -> Metrics:
        control, metrics = ControlPlane(site.api_url, None, "reviews"), Metrics()
        await asyncio.wait_for(EarlierBoots(PRESENT, control, files, metrics).tell(), 30)
        await control.close()
        return metrics

    return asyncio.run(telling())


def heard(site: GatewayInProcess) -> list[tuple[list[int], bool]]:
    return [([one.second for one in part.seconds], part.more) for part in site.control.lost]


TOLD = [([1001], True), ([], False)]


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nowhere", "nobody's", "deep"])
def test_what_is_no_journal_keeps_nobody_from_telling(site: GatewayInProcess, files: GatewayFiles, kind: str) -> None:
    path, beside = killed(files), files.journal(UUID(int=1))
    plant: dict[str, Callable[[], Any]] = {
        "folder": beside.mkdir,
        "pipe": lambda: os.mkfifo(beside),
        "link to nowhere": lambda: beside.symlink_to(files.folder / "nowhere"),
        "nobody's": lambda: beside.write_bytes(b"\x00\xff"),
        "deep": lambda: beside.write_bytes(b"[" * 100_000),
    }
    plant[kind]()
    tell(site, files)
    assert [one.second for one in site.observed()] == [1000]
    assert heard(site) == TOLD
    assert not path.exists()


def test_a_file_that_cannot_be_read_stays(
    site: GatewayInProcess, files: GatewayFiles, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = killed(files)

    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("workers.serve.counting.earlier_boots.read_remains", refuse)
    tell(site, files)
    assert path.exists()
    assert any("cannot be read" in said for said in caplog.messages)


def test_a_late_second_is_lost_and_what_is_refused_otherwise_is_kept_for_a_person(
    site: GatewayInProcess, files: GatewayFiles
) -> None:
    for status, kept in ((409, False), (422, True)):
        path = killed(files)
        site.control.refuse = lambda _second, status=status: status  # type: ignore[misc]
        metrics = tell(site, files)
        assert metrics.registry.get_sample_value("graftwork_gateway_lost_seconds_total") == 1
        assert (path.exists(), path.with_suffix(".refused").exists()) == (False, kept)
    assert heard(site) == TOLD * 2


def test_a_boot_that_nobody_knows_is_done_with(site: GatewayInProcess, files: GatewayFiles) -> None:
    path = killed(files)
    site.control.refuse = lambda _second: 404
    tell(site, files)
    assert (path.exists(), heard(site)) == (False, [])


def test_the_units_of_a_busy_minute_are_told_in_parts_that_the_control_plane_takes(
    site: GatewayInProcess, files: GatewayFiles
) -> None:
    journal = Journal(files.journal(KILLED), KILLED)
    for second in range(1000, 1060):
        for number in range(250):
            journal.start(Arrival(second, 1, 0.5, "canary", f"{second * 1000 + number:032x}"))
    journal.close()
    tell(site, files)
    assert sum(len(one.generations[0].sessions) for part in site.control.lost for one in part.seconds) == 60 * 250
    assert max(len(part.model_dump_json()) for part in site.control.lost) < Settings().max_body_bytes
    assert [part.more for part in site.control.lost] == [True] * 60 + [False]


@pytest.mark.parametrize(
    ("status", "media_type", "body"),
    [
        (200, "text/html", "<p>sign in</p>"),
        (302, "text/html", ""),
        (404, "text/html", "<p>no such site</p>"),
        (405, "application/json", "{}"),
        (400, "text/plain", "plain HTTP to an HTTPS port"),
    ],
)
def test_only_the_control_plane_itself_takes_or_refuses(status: int, media_type: str, body: str) -> None:
    with pytest.raises(Unreachable):
        _report(lambda _request: httpx.Response(status, text=body, headers={"content-type": media_type}))


def test_a_problem_is_a_refusal() -> None:
    problem = json.dumps({"detail": "boot is not registered"})
    with pytest.raises(Refused) as refused:
        _report(lambda _request: httpx.Response(404, text=problem, headers={"content-type": MEDIA_TYPE}))
    assert refused.value.status == 404


def _report(answer: Callable[[httpx.Request], httpx.Response]) -> None:
    async def report() -> None:
        control = ControlPlane("http://control-plane", None, "reviews")
        control._client = httpx.AsyncClient(base_url="http://control-plane", transport=httpx.MockTransport(answer))
        await control.report_lost(LostUnits(boot=KILLED, seconds=()))

    asyncio.run(report())
