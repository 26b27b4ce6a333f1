"""Follows a deployment's generations: learns the newest, loads its versions, puts it in force."""

import asyncio
import logging
import threading
import time
from uuid import UUID

from schemas.serving import Generation, Probed, ServedVersion
from workers.serve.control import ControlPlane, Refused, Unreachable
from workers.serve.files import GatewayFiles
from workers.serve.rollout.state import State
from workers.serve.threads import in_thread

logger = logging.getLogger(__name__)

FIRST_ANSWER_SECONDS = 2.0
POLL_SECONDS = 20
RETRY_SECONDS = 2.0
LOAD_SECONDS = 120.0
SPARE_VERSIONS = 4
"""Versions kept loaded beyond the wanted ones: a rollback finds its target ready."""
NEWEST, IN_FORCE = "generation", "in-force"
"""Both are kept on disk: the newest one may never have been loadable here."""


class Follower:
    def __init__(self, state: State, control: ControlPlane, files: GatewayFiles) -> None:
        self._state, self._control, self._files = state, control, files
        self._changed = asyncio.Event()
        self._reachable = True
        self._faults: dict[UUID, str] = {}
        self._fallback = files.kept(IN_FORCE)
        self._kept = {IN_FORCE: self._fallback}
        self._unkept = asyncio.Event()
        self._keeping = threading.Lock()

    async def follow(self) -> None:
        """Ask first; a control plane that does not answer in time leaves what is on disk, without its canary."""
        first = await self._ask(after=None, wait=0, timeout=FIRST_ANSWER_SECONDS) or self._files.kept(NEWEST)
        if first is not None:
            self._want(first)
        while True:
            started = time.monotonic()
            newest = self._state.newest
            after = newest.generation if newest else None
            answer = await self._ask(after, POLL_SECONDS, timeout=POLL_SECONDS + 10.0)
            if answer is not None and answer != newest:
                self._want(answer)
            elif time.monotonic() - started < RETRY_SECONDS:
                await asyncio.sleep(RETRY_SECONDS)

    async def load(self) -> None:
        """Bring what is newest into force, again and again until it is; traffic goes on meanwhile."""
        while True:
            self._changed.clear()
            done = await self._advance()
            try:
                await asyncio.wait_for(self._changed.wait(), None if done else RETRY_SECONDS)
            except TimeoutError:
                continue

    async def keep(self) -> None:
        """Beside serving and in a thread: a disk may be slow to confirm, and neither a rollback nor an answer waits."""
        while True:
            await self._unkept.wait()
            self._unkept.clear()
            await in_thread(self.keep_now, name="keep")

    def keep_now(self) -> None:
        """On disk what is in memory."""
        with self._keeping:
            for name, generation in ((NEWEST, self._state.newest), (IN_FORCE, self._state.in_force)):
                if generation is not None and self._kept.get(name) is not generation:
                    self._files.keep(name, generation)
                    self._kept[name] = generation

    async def _ask(self, after: int | None, wait: int, timeout: float) -> Generation | None:
        try:
            answer = await asyncio.wait_for(self._control.generation(after, wait, timeout), timeout)
        except (Unreachable, Refused, TimeoutError) as error:
            if self._reachable:
                logger.warning("no generation from the control plane: %s %s", type(error).__name__, error)
            self._reachable = False
            return None
        self._reachable = True
        return answer

    def _want(self, generation: Generation) -> None:
        """Without a stable version of its own loaded, an earlier generation goes on serving its stable."""
        self._state.newest = generation
        self._unkept.set()
        self._adopt_if_ready()
        self._changed.set()

    async def _advance(self) -> bool:
        """Whether everything wanted is loaded and the probe passed."""
        newest = self._state.newest
        if newest is None:
            return True
        stable = await self._loaded(newest.stable)
        self._adopt_if_ready()
        if self._state.in_force is None:
            await self._fall_back()
        canary = await self._loaded(newest.canary)
        probe = await self._answer_probe(newest)
        self._unload_spares()
        return stable and canary and probe and newest is self._state.newest

    async def _fall_back(self) -> None:
        """After a restart the newest stable version may not load; what was in force before did."""
        if self._fallback is not None and await self._loaded(self._fallback.stable):
            self._state.in_force = self._fallback
            logger.warning("generation %d from disk is in force meanwhile", self._fallback.generation)

    def _adopt_if_ready(self) -> None:
        newest = self._state.newest
        if newest is None or newest is self._state.in_force:
            return
        if newest.stable is None or self._state.engine.holds(newest.stable):
            self._state.in_force = newest
            self._state.news.set()
            self._unkept.set()
            logger.info("generation %d is in force", newest.generation)

    async def _loaded(self, version: ServedVersion | None) -> bool:
        if version is None or self._state.engine.holds(version):
            return True
        return not await self._try_load(version)

    async def _try_load(self, version: ServedVersion) -> str:
        """Empty, or why it did not load."""
        try:
            loading = in_thread(lambda: self._state.engine.load(version), name="load")
            await asyncio.wait_for(loading, LOAD_SECONDS)
        except Exception as error:  # whatever a damaged artifact makes a library raise
            reason = f"{type(error).__name__}: {error}"[:500]
            if self._faults.get(version.id) != reason:
                logger.error("cannot load %s/%d: %s", version.model, version.version, reason)
            self._faults[version.id] = reason
            return reason
        self._faults.pop(version.id, None)
        return ""

    async def _answer_probe(self, generation: Generation) -> bool:
        version, probe, answered = generation.probe_version, generation.probe, self._state.probed
        if version is None or probe is None or (answered and answered.ok and answered.probe == probe):
            return True
        fault = await self._probe(version)
        self._state.probed = Probed(probe=probe, version=version.id, ok=not fault, detail=fault)
        self._state.news.set()
        return not fault

    async def _probe(self, version: ServedVersion) -> str:
        if not self._state.engine.holds(version):
            return await self._try_load(version)
        try:
            smoking = in_thread(lambda: self._state.engine.smoke(version.id), name="smoke")
            await asyncio.wait_for(smoking, LOAD_SECONDS)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:500]
        return ""

    def _unload_spares(self) -> None:
        spare = [version for version in self._state.engine.loaded if version not in self._wanted()]
        for version in spare[:-SPARE_VERSIONS]:
            self._state.engine.unload(version)

    def _wanted(self) -> set[UUID]:
        known = [g for g in (self._state.newest, self._state.in_force) if g is not None]
        versions = [v for g in known for v in (g.stable, g.canary, g.probe_version) if v is not None]
        return {version.id for version in versions}
