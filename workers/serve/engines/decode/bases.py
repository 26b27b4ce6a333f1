"""The versions that write: one session, one thread and one batch per base graph, and rows of its tables per version.

A base that is exported in two precisions is two of them, which share nothing.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import numpy as np

from schemas.artifacts import Digest
from schemas.serving import ServedVersion
from workers.base.chat import ChatTemplate, open_chat_template
from workers.base.tokenizer import TextTokenizer
from workers.graph.decoder.decoding import Decoding
from workers.graph.decoder.session import DecoderSession
from workers.runtime.errors import JobError
from workers.serve.engines.artifacts import Artifacts
from workers.serve.engines.decode.output import Output
from workers.serve.engines.decode.reader import Reader
from workers.serve.engines.decode.request import Request
from workers.serve.engines.decode.sampling import Sampler
from workers.serve.engines.decode.scheduler import Scheduler
from workers.tasks.text_generation.prompts import Prompts
from workers.tasks.text_generation.writing import Asked

logger = logging.getLogger(__name__)


OpenDecoder = Callable[[Path], DecoderSession]
_BaseKey = tuple[Digest, Digest]


@dataclass(frozen=True)
class Base:
    """What versions of one base graph share."""

    session: DecoderSession
    tokenizer: TextTokenizer
    scheduler: Scheduler
    _prompts: dict[Digest | None, Prompts] = field(default_factory=dict)

    def prompts(self, template: ChatTemplate | None) -> Prompts:
        """One for all versions with this template."""
        return self._prompts.setdefault(template.digest if template else None, Prompts(self.tokenizer, template))


@dataclass(frozen=True)
class Loaded:
    """One version, and how it is asked."""

    served: ServedVersion
    base: Base
    prompts: Prompts

    @property
    def name(self) -> str:
        """As its session and its scheduler know it."""
        return str(self.served.id)

    @property
    def context_length(self) -> int:
        """Tokens of a prompt and its answer."""
        return self.base.session.form.context_length

    def request(self, asked: Asked, prompt: list[int], reader: Reader | None) -> Request:
        """The last token of a text is not read any more, so one more than the context takes is written."""
        left = self.context_length - len(prompt) + 1
        limit = left if asked.max_tokens is None else min(left, asked.max_tokens)
        stop_token_ids = self.served.graph.identity.generation.stop_token_ids
        output = Output(self.base.tokenizer, len(prompt), stop_token_ids, asked.stop, limit)
        return Request(self.name, [*prompt], Sampler(asked.temperature, asked.top_p, asked.seed), output, reader)


class Bases:
    """`load`, `unload` and `smoke` block, and are called from one loading thread at a time; `find` from any."""

    def __init__(self, artifacts: Artifacts, open_decoder: OpenDecoder, observe_texts: Callable[[int], None]) -> None:
        self._artifacts, self._open_decoder, self._observe_texts = artifacts, open_decoder, observe_texts
        self._bases: dict[_BaseKey, Base] = {}
        self._loaded: dict[UUID, Loaded] = {}

    @property
    def loaded(self) -> tuple[UUID, ...]:
        """Oldest first."""
        return tuple(self._loaded)

    def holds(self, version: ServedVersion) -> bool:
        known = self._loaded.get(version.id)
        return known is not None and known.served.graph == version.graph

    def find(self, version: ServedVersion) -> Loaded | None:
        return self._loaded.get(version.id)

    def load(self, version: ServedVersion) -> None:
        """Fetch, load and smoke-test; a version that fails is not loaded. One by another graph is replaced."""
        template = self._template(version)
        base = self._base(version)
        loaded = Loaded(version, base, base.prompts(template))
        replaced = self._loaded.get(version.id)
        try:
            base.session.load(loaded.name, self._artifacts.fetch(version.graph.adapter))
            _smoke(loaded)
        except Exception:
            self._loaded.pop(version.id, None)
            self._forget(loaded)
            raise
        else:
            self._loaded[version.id] = loaded
        finally:
            if replaced is not None and replaced.base is not base:
                self._forget(replaced)
        logger.info("loaded %s/%s (%s)", version.model, version.version, version.id)

    def smoke(self, version: UUID) -> None:
        _smoke(self._loaded[version])

    def unload(self, version: UUID) -> None:
        self._forget(self._loaded.pop(version))

    def close(self) -> None:
        for base in self._bases.values():
            base.scheduler.close()

    def _forget(self, loaded: Loaded) -> None:
        """A base goes with its last version: it is the large part."""
        base = loaded.base
        base.session.unload(loaded.name)
        base.scheduler.unload(loaded.name)
        if all(other.base is not base for other in self._loaded.values()):
            base.scheduler.close()
            self._bases.pop(_base_key(loaded.served), None)

    def _base(self, version: ServedVersion) -> Base:
        key = _base_key(version)
        if key not in self._bases:
            session = self._open_decoder(self._artifacts.fetch(version.graph.base_graph))
            tokenizer = TextTokenizer(self._artifacts.fetch(version.graph.tokenizer), max_length=None)
            self._bases[key] = Base(session, tokenizer, Scheduler(session, self._observe_texts))
        return self._bases[key]

    def _template(self, version: ServedVersion) -> ChatTemplate | None:
        stored, trained = version.graph.chat_template, version.graph.identity.generation.chat_template_digest
        if (stored and stored.digest) != trained:
            found = stored.digest if stored else None
            raise JobError(f"the graph has chat template {found}, the version was trained with {trained}")
        return open_chat_template(self._artifacts.fetch(stored)) if stored else None


def _base_key(version: ServedVersion) -> _BaseKey:
    return version.graph.base_graph.digest, version.graph.tokenizer.digest


def _smoke(loaded: Loaded) -> None:
    """A token is read and one more written, beside the texts of others."""
    session = loaded.base.session
    token = loaded.served.graph.identity.generation.stop_token_ids[0]
    decoding = Decoding(session)
    try:
        _, read = decoding.join([[token]], [loaded.name])
        written = decoding.step([int(read[0].argmax())])
    finally:
        decoding.close()
    if not (np.isfinite(read).all() and np.isfinite(written).all()):
        raise JobError("logits are not finite")
