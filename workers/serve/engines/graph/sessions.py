"""The versions a gateway has loaded: one session per base graph, one small adapter per version."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol
from uuid import UUID

from schemas.artifacts import Digest
from schemas.serving import ServedVersion
from workers.base.arrays import Logits
from workers.serve.engines.artifacts import Artifacts
from workers.tasks.text_classification.smoke import SMOKE_ROW, check_smoke

logger = logging.getLogger(__name__)


class Session(Protocol):
    """What `workers.graph.session.GraphSession` does."""

    def load(self, version: str, adapter: Path, max_length: int | None = None) -> None: ...
    def unload(self, version: str) -> None: ...
    def logits(self, texts: Sequence[str], version: str) -> Logits: ...


OpenSession = Callable[[Path, Path, int], Session]
"""Base graph, tokenizer, max_length."""
_BaseKey = tuple[Digest, Digest]


class Sessions:
    """`load`, `unload` and `smoke` block, and are called from one loading thread at a time; `logits` from any."""

    def __init__(self, artifacts: Artifacts, open_session: OpenSession) -> None:
        self._artifacts, self._open_session = artifacts, open_session
        self._sessions: dict[_BaseKey, Session] = {}
        self._loaded: dict[UUID, tuple[ServedVersion, Session]] = {}

    @property
    def loaded(self) -> tuple[UUID, ...]:
        """Oldest first."""
        return tuple(self._loaded)

    def holds(self, version: ServedVersion) -> bool:
        """Loaded, and by this graph: it may have been exported again since."""
        known = self._loaded.get(version.id)
        return known is not None and known[0].graph == version.graph

    def load(self, version: ServedVersion) -> None:
        """Fetch, load and smoke-test; a version that fails is not loaded. One by another graph is replaced."""
        session = self._session(version)
        session.load(str(version.id), self._artifacts.fetch(version.graph.adapter), version.graph.identity.max_length)
        try:
            _smoke(session, version)
        except Exception:
            session.unload(str(version.id))
            self._loaded.pop(version.id, None)
            raise
        replaced = self._loaded.get(version.id)
        self._loaded[version.id] = (version, session)
        if replaced is not None and replaced[1] is not session:
            self._forget(*replaced)
        logger.info("loaded %s/%s (%s)", version.model, version.version, version.id)

    def smoke(self, version: UUID) -> None:
        served, session = self._loaded[version]
        _smoke(session, served)

    def unload(self, version: UUID) -> None:
        self._forget(*self._loaded.pop(version))

    def _forget(self, served: ServedVersion, session: Session) -> None:
        """A base session goes with its last version: it is the large part."""
        session.unload(str(served.id))
        if all(other is not session for _, other in self._loaded.values()):
            self._sessions.pop(_base_key(served), None)

    def logits(self, version: UUID, texts: Sequence[str]) -> Logits:
        _, session = self._loaded[version]
        return session.logits(texts, str(version))

    def _session(self, version: ServedVersion) -> Session:
        key = _base_key(version)
        if key not in self._sessions:
            graph = self._artifacts.fetch(version.graph.base_graph)
            tokenizer = self._artifacts.fetch(version.graph.tokenizer)
            self._sessions[key] = self._open_session(graph, tokenizer, version.graph.identity.max_length)
        return self._sessions[key]


def _base_key(version: ServedVersion) -> _BaseKey:
    return version.graph.base_graph.digest, version.graph.tokenizer.digest


def _smoke(session: Session, version: ServedVersion) -> None:
    check_smoke(session.logits([SMOKE_ROW], str(version.id)), version.graph.identity.classification)
