"""Names of aliases, and what a caller must say before it may move one."""

from uuid import UUID

import pytest

from controlplane.domain.alias import check_alias_name, etag, expected_move
from controlplane.errors import Invalid, PreconditionRequired

MOVE = UUID(int=5)


@pytest.mark.parametrize("alias", ["x" * 40, "champion", "challenger", "eu-west_2", "v", "vnext", "latest-good"])
def test_free_names(alias: str) -> None:
    check_alias_name(alias)


@pytest.mark.parametrize("alias", ["latest", "7", "v7", "v12"])
def test_names_that_could_be_versions_are_reserved(alias: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_alias_name(alias)
    said = f"alias {alias!r} is reserved: `latest`, numbers and `v<number>` name versions"
    assert (refused.value.detail, refused.value.field) == (said, "alias")


@pytest.mark.parametrize("alias", ["", "Champion", "a b", "x" * 41, "-a", "ä", "champion\n", "latest\n", "v7\n"])
def test_what_is_no_name_is_refused(alias: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_alias_name(alias)
    said = f"alias {alias!r}: expected a lower-case letter and then at most 39 of a-z, 0-9, `_` and `-`"
    assert (refused.value.detail, refused.value.field) == (said, "alias")


def test_an_etag_names_the_move() -> None:
    assert expected_move(etag(MOVE), None) == MOVE
    assert expected_move(f" {etag(MOVE)} ", None) == MOVE
    assert expected_move(None, " * ") is None


def test_neither_header_is_428() -> None:
    with pytest.raises(PreconditionRequired) as refused:
        expected_move(None, None)
    assert refused.value.detail == (
        "send `If-Match: <the alias's ETag>`, or `If-None-Match: *` to set it for the first time"
    )


NO_UUID = '"' + "-" * 36 + '"'
NOT_AN_ETAG = "expected one ETag as GET answers it, quotes included"


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "said"),
    [
        ("*", None, f"If-Match '*': {NOT_AN_ETAG}"),
        (f"W/{etag(MOVE)}", None, f"If-Match {f'W/{etag(MOVE)}'!r}: {NOT_AN_ETAG}"),
        (str(MOVE), None, f"If-Match {str(MOVE)!r}: {NOT_AN_ETAG}"),
        (NO_UUID, None, f"If-Match {NO_UUID!r}: {NOT_AN_ETAG}"),
        (etag(MOVE) + etag(MOVE), None, f"If-Match {(etag(MOVE) + etag(MOVE))[:80]!r}: {NOT_AN_ETAG}"),
        ("x" * 90, None, f"If-Match {'x' * 80!r}: {NOT_AN_ETAG}"),
        (None, "y" * 90, f"If-None-Match {'y' * 80!r}: only `*` is understood here"),
        (etag(MOVE), "*", "send If-Match or If-None-Match, not both"),
    ],
)
def test_a_tag_that_we_never_gave_is_refused(if_match: str | None, if_none_match: str | None, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        expected_move(if_match, if_none_match)
    field = "If-None-Match" if if_match is None else "If-Match"
    assert (refused.value.detail, refused.value.field) == (said, field)
