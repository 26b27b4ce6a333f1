"""How long somebody stays signed in."""

import os
from pathlib import Path
from uuid import uuid4

from controlplane.ui.sessions import IDLE_SECONDS, LIFE_SECONDS, Sessions
from schemas.views.tokens import Caller

ANN = Caller(id=uuid4(), name="ann", role="viewer", acts_as=["viewer"])


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_who_was_signed_in_is_known_with_their_token(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    value = sessions.begin("gw_secret", ANN)
    found = sessions.find(value)
    assert found is not None
    assert (found.token, found.caller) == ("gw_secret", ANN)
    assert sessions.find(value + "x") is None
    assert sessions.find("../" + value) is None
    assert sessions.find(None) is None


def test_whoever_is_idle_for_too_long_is_signed_out_and_whoever_is_not_stays(tmp_path: Path) -> None:
    clock = Clock()
    sessions = Sessions(tmp_path, clock)
    idle, busy = sessions.begin("a", ANN), sessions.begin("b", ANN)
    for _ in range(3):
        clock.now += IDLE_SECONDS * 0.6
        assert sessions.find(busy) is not None
    assert sessions.find(idle) is None


def test_an_open_page_that_asks_by_itself_keeps_nobody_signed_in(tmp_path: Path) -> None:
    clock = Clock()
    sessions = Sessions(tmp_path, clock)
    value = sessions.begin("a", ANN)
    clock.now += IDLE_SECONDS * 0.9
    assert sessions.find(value, in_person=False) is not None
    clock.now += IDLE_SECONDS * 0.2
    assert sessions.find(value, in_person=False) is None


def test_nobody_stays_for_longer_than_the_longest_life(tmp_path: Path) -> None:
    clock = Clock()
    sessions = Sessions(tmp_path, clock)
    value = sessions.begin("a", ANN)
    for _ in range(int(LIFE_SECONDS / IDLE_SECONDS * 2)):
        clock.now += IDLE_SECONDS * 0.5
        assert sessions.find(value) is not None
    clock.now += 1
    assert sessions.find(value) is None
    assert list(tmp_path.iterdir()) == []


def test_what_is_over_is_swept_at_the_next_start(tmp_path: Path) -> None:
    clock = Clock()
    Sessions(tmp_path, clock).begin("a", ANN)
    clock.now += IDLE_SECONDS + 1
    Sessions(tmp_path, clock)
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_ended_while_it_was_looked_at_is_not_made_again(tmp_path: Path) -> None:
    clock = Clock()
    sessions = Sessions(tmp_path, clock)
    value = sessions.begin("a", ANN)
    found = sessions.find(value)
    assert found is not None
    sessions.end(found)
    sessions.end(found)
    assert sessions.find(value) is None
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_signs_nobody_in(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    value = sessions.begin("a", ANN)
    [file] = tmp_path.iterdir()
    file.write_text("{")
    assert sessions.find(value) is None
    assert os.path.exists(file)


def test_each_session_has_a_form_key_of_its_own(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    one, other = (sessions.find(sessions.begin("a", ANN)) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.proves(one.form_key)
    assert not one.proves(other.form_key)
    assert not one.proves("é")
