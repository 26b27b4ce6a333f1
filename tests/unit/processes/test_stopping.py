"""Whoever stops a process waits longer than its drain takes."""

from pathlib import Path

import yaml

from processes.stopping import API_DRAIN_SECONDS, GATEWAY_DRAIN_SECONDS, STOP_SECONDS

COMPOSE = Path("deploy/compose.yaml")


def test_a_process_has_time_for_its_last_words_after_its_drain() -> None:
    assert STOP_SECONDS - max(API_DRAIN_SECONDS, GATEWAY_DRAIN_SECONDS) >= 5


def test_docker_waits_for_a_gateway_as_the_supervisor_does() -> None:
    gateway = yaml.safe_load(COMPOSE.read_text())["services"]["gateway"]
    assert gateway["stop_grace_period"] == f"{STOP_SECONDS}s"
