"""A base's chat template: how messages become one text, and where a text or a turn ends."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NoReturn

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from schemas.artifacts import Digest
from workers.base.folder import read_object
from workers.runtime.errors import JobError

MAX_BYTES: Final = 1 << 20
"""Bytes of a chat template."""
MEDIA_TYPE: Final = "text/x-jinja"
_MAX_CONFIG_BYTES: Final = 16 << 20
"""Bytes of a tokenizer_config.json: those of large vocabularies list every added token."""
_SPECIAL: Final = ("bos_token", "eos_token", "unk_token", "pad_token")


class ChatTemplate:
    """A Jinja template, run as transformers runs it: in a sandbox, and the same whoever runs it."""

    def __init__(self, source: str) -> None:
        self.source = source
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.filters["tojson"] = _tojson
        environment.globals |= {"raise_exception": _refuse, "strftime_now": _today}
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise JobError(f"the base's chat template is none: {type(error).__name__}") from error

    @property
    def digest(self) -> Digest:
        """What an artifact of the source has, too."""
        return "sha256:" + sha256(self.source.encode()).hexdigest()

    def render(self, messages: Sequence[Mapping[str, str]], *, asks: bool) -> str:
        """The conversation as one text; `asks`: with what stands before the answer that is asked for."""
        try:
            return self._template.render(messages=list(messages), add_generation_prompt=asks)
        except (TemplateError, TypeError, ArithmeticError) as error:  # its words may quote a message
            raise JobError(f"the base's chat template refuses a conversation: {type(error).__name__}") from error


def read_chat_template(folder: Path) -> ChatTemplate | None:
    """The base's own, with its special tokens set in it so that it needs no other file; None: it has none."""
    config = _tokenizer_config(folder)
    source = _source(folder, config)
    if source is None:
        return None
    if len(source.encode()) > MAX_BYTES:
        raise JobError(f"the base's chat template has {len(source.encode())} bytes, expected at most {MAX_BYTES}")
    tokens = {name: token for name in _SPECIAL if name in source and (token := _token(config, name)) is not None}
    # `+%}` keeps a line break that the template begins with.
    return ChatTemplate("".join(f"{{% set {n} = {json.dumps(t)} +%}}" for n, t in tokens.items()) + source)


def open_chat_template(file: Path) -> ChatTemplate:
    """One that was stored by its source."""
    if (size := file.stat().st_size) > MAX_BYTES:
        raise JobError(f"chat template {file.name} has {size} bytes, expected at most {MAX_BYTES}")
    return ChatTemplate(file.read_bytes().decode())


def read_end_of_text(folder: Path) -> tuple[int, tuple[int, ...]]:
    """The token that ends a text or a turn, and all tokens at which an answer ends, ascending."""
    declared = [
        token
        for name in ("generation_config.json", "config.json")
        if (folder / name).exists()
        for token in _ids(read_object(folder / name, _MAX_CONFIG_BYTES).get("eos_token_id"))
    ]
    named = _token(_tokenizer_config(folder), "eos_token")
    written = Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id(named) if named is not None else None
    found = [*([] if written is None else [written]), *declared]
    if not found:
        raise JobError(f"base model {folder.name} names no eos_token: expected the token that ends a text")
    return found[0], tuple(sorted(set(found)))


def _source(folder: Path, config: Mapping[str, Any]) -> str | None:
    """A file of its own wins; of several templates in the configuration the one that is called `default`."""
    if (file := folder / "chat_template.jinja").exists():
        return file.read_text(encoding="utf-8")
    found = config.get("chat_template")
    if isinstance(found, list):
        found = next((one.get("template") for one in found if one.get("name") == "default"), None)
    return found if isinstance(found, str) else None


def _tokenizer_config(folder: Path) -> Mapping[str, Any]:
    file = folder / "tokenizer_config.json"
    return read_object(file, _MAX_CONFIG_BYTES) if file.exists() else {}


def _token(config: Mapping[str, Any], name: str) -> str | None:
    """A token is written as its text, or as an object that has it."""
    found = config.get(name)
    found = found.get("content") if isinstance(found, dict) else found
    return found if isinstance(found, str) else None


def _ids(value: object) -> list[int]:
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, int) and not isinstance(one, bool) and one >= 0]


def _tojson(value: object, indent: int | None = None) -> str:
    """Unlike Jinja's own it escapes nothing for HTML."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _today(form: str) -> str:
    """No clock: a prompt that changed with the day would train, evaluate and serve three different models."""
    return date(2026, 1, 1).strftime(form)
