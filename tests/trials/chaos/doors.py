"""The two doors by which somebody else's event comes in, each until it was accepted."""

import json
import subprocess
import time
from typing import Any, Literal

from schemas.topics import INBOUND
from tests.support.kcat import Kcat
from tests.trials.chaos.caller import PATIENCE, Answer, Caller

Door = Literal["http", "kafka"]
STRUCTURED = {"content-type": "application/cloudevents+json"}
ACKNOWLEDGED = Answer(202, None, "", None)


def publish(event: dict[str, Any], door: Door, caller: Caller, bootstrap_servers: str | None) -> Answer:
    """Where there is no Kafka, every event comes by HTTP."""
    if door == "kafka" and bootstrap_servers is not None:
        return _produced(event, Kcat(bootstrap_servers))
    return caller.post("/v1/events", content=json.dumps(event), headers=STRUCTURED)


def _produced(event: dict[str, Any], kcat: Kcat) -> Answer:
    """Until the broker has acknowledged it: a try that seemed to fail may have been heard."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            kcat.publish(INBOUND, event["id"], STRUCTURED, event)
            return ACKNOWLEDGED
        except (AssertionError, subprocess.TimeoutExpired):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
