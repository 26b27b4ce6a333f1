"""Documents that strangers write."""

import pytest

from controlplane.domain.document import json_bytes, load_document
from controlplane.errors import Invalid


def test_yaml_and_json_are_the_same_document() -> None:
    expected = {"name": "p", "a": {"b": [1, True, "x"]}}
    assert load_document(b"a:\n  b: [1, true, x]\n", "p") == expected
    assert load_document(b'{"name": "p", "a": {"b": [1, true, "x"]}}', "p") == expected


def test_a_date_is_text() -> None:
    assert load_document(b"when: 2024-01-01", "p")["when"] == "2024-01-01"


GROWS = b"a: &a [1,1,1,1,1,1,1,1,1,1]\n" + b"".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n".encode() for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"a: 1\na: 2", "key 'a' is written twice at line 2"),
        (b"a: [1,\nb: 2", "line 2"),
        (b"a: !!python/object/apply:os.system [echo]", "could not determine a constructor"),
        (b"a: &a [1]\nb: {<<: {x: 1}}", "merge keys"),
        (b"\xff\xfe", "not UTF-8"),
        (b"- 1", "is list, expected a mapping"),
        (b"", "is NoneType, expected a mapping"),
        (b"1: x", "key 1: expected text"),
        (b"name: other", "the body's name is 'other', expected 'p'"),
        (b"a: .nan", "NaN"),
        (b'a: "\\0"', "U+0000"),
        (b"a: &a [*a]", "recursive"),
        (GROWS, "more than 20000 values"),
    ],
)
def test_bad_documents_say_what_is_wrong_and_where(body: bytes, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        load_document(body, "p")
    assert said in refused.value.detail


@pytest.mark.parametrize("value", ["\0", "\\\0", {"\0": 1}, "\ud800", float("inf"), [float("nan")]])
def test_what_a_database_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(Invalid, match="data holds"):
        json_bytes(value, "data")


def test_an_escaped_backslash_before_u0000_is_text() -> None:
    assert json_bytes("\\u0000", "data") == b'"\\\\u0000"'
