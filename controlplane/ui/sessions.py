"""Who is signed in: a random cookie names a file, and the file keeps the token. The browser never sees the token again.

A session outlives a restart of the UI, and ends on the server: signed out, it opens nothing any more.
"""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from processes.file_permissions import make_home
from processes.private_file import write_private
from schemas.views.tokens import Caller

LIFE_SECONDS: Final = 12 * 3600
"""From signing in."""
IDLE_SECONDS: Final = 2 * 3600
"""Without a request."""
NOTED_EVERY_SECONDS: Final = 60


@dataclass(frozen=True)
class Session:
    """One person at one browser."""

    key: str
    """The digest of the cookie's value: what is kept cannot be presented."""
    token: str
    caller: Caller
    began: float

    @property
    def form_key(self) -> str:
        """What every form of this session carries, and no other site can know."""
        return hmac.new(self.token.encode(), self.key.encode(), hashlib.sha256).hexdigest()

    def proves(self, form_key: str) -> bool:
        return hmac.compare_digest(self.form_key.encode(), form_key.encode())


class Sessions:
    """Files of mode 0600 in a folder of the UI's owner, one a session."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        make_home(folder)
        self._sweep()

    def begin(self, token: str, caller: Caller) -> str:
        """The new cookie's value: never one that the browser had before."""
        self._sweep()
        value = secrets.token_urlsafe(32)
        kept = {"token": token, "caller": caller.model_dump(mode="json"), "began": self._clock()}
        file = self._file(_digest(value))
        write_private(file, json.dumps(kept))
        self._note(file)
        return value

    def find(self, value: str | None, *, in_person: bool = True) -> Session | None:
        """None for a stranger, and for whoever signed out or was away too long.

        `in_person`: it is a person who asks, and no open page that asks by itself.
        """
        if not value:
            return None
        key = _digest(value)
        file = self._file(key)
        try:
            kept, used = json.loads(file.read_text()), file.stat().st_mtime
        except (FileNotFoundError, ValueError):
            return None
        now = self._clock()
        if now - kept["began"] > LIFE_SECONDS or now - used > IDLE_SECONDS:
            file.unlink(missing_ok=True)
            return None
        if in_person and now - used > NOTED_EVERY_SECONDS:
            self._note(file)
        return Session(key, kept["token"], Caller.model_validate(kept["caller"]), kept["began"])

    def end(self, session: Session) -> None:
        self._file(session.key).unlink(missing_ok=True)

    def _note(self, file: Path) -> None:
        """That it was used now. One that ended meanwhile is not made again."""
        with contextlib.suppress(OSError):
            os.utime(file, (now := self._clock(), now))

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _sweep(self) -> None:
        now = self._clock()
        for file in self._folder.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # ended meanwhile
                if now - file.stat().st_mtime > IDLE_SECONDS:
                    file.unlink()


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
