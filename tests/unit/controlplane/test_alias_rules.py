"""Names of aliases, and what a caller must say before it may move one."""

from uuid import UUID

import pytest

from controlplane.domain.alias import check_alias_name, etag, expected_move
from controlplane.errors import Invalid, PreconditionRequired

MOVE = UUID(int=5)


@pytest.mark.parametrize("alias", ["champion", "challenger", "eu-west_2", "v", "vnext", "latest-good"])
def test_free_names(alias: str) -> None:
    check_alias_name(alias)


@pytest.mark.parametrize("alias", ["latest", "7", "v7", "v12", "", "Champion", "a b", "x" * 41, "-a", "ä"])
def test_names_that_could_be_versions_or_are_none_are_refused(alias: str) -> None:
    with pytest.raises(Invalid, match="alias"):
        check_alias_name(alias)


def test_an_etag_names_the_move() -> None:
    assert expected_move(etag(MOVE), None) == MOVE
    assert expected_move(None, "*") is None


def test_neither_header_is_428() -> None:
    with pytest.raises(PreconditionRequired, match="If-None-Match"):
        expected_move(None, None)


@pytest.mark.parametrize(
    ("if_match", "if_none_match"),
    [("*", None), ("7", None), (f"W/{etag(MOVE)}", None), (str(MOVE), None), (None, etag(MOVE)), (etag(MOVE), "*")],
)
def test_a_tag_that_we_never_gave_is_refused(if_match: str | None, if_none_match: str | None) -> None:
    with pytest.raises(Invalid):
        expected_move(if_match, if_none_match)
