"""Secrets that come from the environment: an empty one is unset, and one that a person chose has a least length."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

MIN_CHARACTERS = 16
"""The limit on failures slows guessers down and locks nobody out, so a secret has to be one."""


def _unset_when_empty(value: object) -> object:
    """`NAME=` in a compose file means that nobody set it; as a token, an empty one would open the door to all."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return None if text == "" else value


def _long_enough(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value()) < MIN_CHARACTERS:
        raise ValueError(f"expected at least {MIN_CHARACTERS} characters, such as `openssl rand -hex 32` writes")
    return value


GivenSecret = Annotated[SecretStr | None, BeforeValidator(_unset_when_empty)]
"""Somebody else's to choose: a token that we minted, a broker's password."""
ChosenSecret = Annotated[SecretStr | None, BeforeValidator(_unset_when_empty), AfterValidator(_long_enough)]
"""Opens one of our doors."""
