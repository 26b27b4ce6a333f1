"""The newest entries of an audit log."""

from typing import Any

from tests.support.answers import ok
from tests.support.builders.specs import CURATE
from tests.support.worlds.in_process import InProcess

WORD = {"reason": "because of the audit"}
PIPELINE = {"name": "rows", "stages": {"curate": {"kind": "curate", "spec": CURATE}}}


def newest(site: InProcess, **filters: Any) -> dict[str, Any]:
    (entry, *_) = ok(site.client("auditor").get("/v1/audit", params={"limit": 1, **filters}))["items"]
    return dict(entry)
