"""Documents that strangers write."""

import pytest

from controlplane.domain.document import MAX_NODES, json_bytes, load_document, refuse_unstorable
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


UNREADABLE = "the body is not readable as YAML or JSON: "


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"a: 1\na: 2", f"{UNREADABLE}key 'a' is written twice at line 2, column 1"),
        (b"a: [1,\nb: 2", f"{UNREADABLE}expected ',' or ']', but got '<stream end>' at line 2, column 5"),
        (b"a: &a [1]\nb: {<<: {x: 1}}", f"{UNREADABLE}merge keys (`<<`) are not read here at line 2, column 5"),
        (b"ok\xff\xfe", "the body is not UTF-8: invalid start byte at byte 2"),
        (b"- 1", "the body is list, expected a mapping of fields"),
        (b"", "the body is NoneType, expected a mapping of fields"),
        (b"1: x", f"{UNREADABLE}key 1: expected text; put it in quotes at line 1, column 1"),
        (b"name: other", "the body's name is 'other', expected 'p' as in the path"),
        (b"a: .nan", "body holds NaN, an infinity or too deep a nesting, expected plain JSON"),
        (b'a: "\\0"', "body holds the character U+0000, which a database cannot store"),
        (b'a: "\\ud800"', "body holds a lone surrogate (\\ud800 to \\udfff), expected Unicode text"),
        (b"a: \x00", f"{UNREADABLE}ReaderError"),
        (b"a: !!int x", f"{UNREADABLE}ValueError"),
        (b"a: " + b"[" * 3000, f"{UNREADABLE}RecursionError"),
        (GROWS, "the body has more than 20000 values, aliases written out"),
        (
            b"a: [{uri: 'http://u:p@h/x'}]",
            "a URI names a user or a password, which would be kept: expected one without",
        ),
    ],
)
def test_bad_documents_say_what_is_wrong_and_where(body: bytes, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        load_document(body, "p")
    assert (refused.value.detail, refused.value.field) == (
        said,
        "name" if said.startswith("the body's name") else "body",
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"a: !!python/object/apply:os.system [echo]", "could not determine a constructor"),
        (b"a: &a [*a]", "recursive"),
        (b"---\na: 1\n---\nb: 2", "another document at line 3"),
    ],
)
def test_what_yaml_itself_refuses_is_told_in_its_words(body: bytes, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        load_document(body, "p")


def test_a_document_may_have_so_many_values_and_no_more() -> None:
    def document(values: int) -> bytes:
        return b"a: [" + b"1," * values + b"]"

    assert len(load_document(document(MAX_NODES - 2), "p")["a"]) == MAX_NODES - 2  # beside the list and the mapping
    with pytest.raises(Invalid, match="more than"):
        load_document(document(MAX_NODES - 1), "p")


NO_TEXT = "holds U+0000 or half of a surrogate pair, expected Unicode text that a database can store"
TOO_LARGE = "an integer beyond 64 bits, expected at most 9223372036854775807"


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "said", "field"),
    [
        ({"a": ["x\0"]}, NO_TEXT, "data.a.0"),
        ({"a": {"b\ud800": 1}}, NO_TEXT, "data: a key"),
        ({"\0": 1}, NO_TEXT, "data: a key"),
        ({"a\udfff": {"b": "\0"}}, NO_TEXT, "data.a\\udfff.b"),
        ({"a": [1.5, float("inf")]}, "inf is not JSON, expected a finite number", "data.a.1"),
        (float("nan"), "nan is not JSON, expected a finite number", "data"),
        ({"a": 2**63}, TOO_LARGE, "data.a"),
        ([-(2**63)], TOO_LARGE, "data.0"),
        (nested(65), "nested deeper than 64 levels", "data"),
        ({"a": nested(64)}, "nested deeper than 64 levels", "data"),
        ({"k" * 300: "\0"}, NO_TEXT, "data." + "k" * 195),
        ({"k" * 300: ["\0"]}, NO_TEXT, "data." + "k" * 195),
        ({"a": {"b": nested(63)}}, "nested deeper than 64 levels", "data"),
        ([["\0"] * 2] * 2, NO_TEXT, "data.1.1"),
    ],
)
def test_what_a_database_cannot_hold_is_refused_at_its_place(value: object, said: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        refuse_unstorable(value, "data")
    assert (refused.value.detail, refused.value.field) == (said, field)


@pytest.mark.parametrize(
    "value",
    [nested(64), {"a": {"b": nested(62)}}, 2**63 - 1, -(2**63 - 1), {"a": [True, None, "é", 0.5, {}]}, [], "text"],
)
def test_what_a_database_can_hold_passes(value: object) -> None:
    refuse_unstorable(value, "data")


@pytest.mark.parametrize("value", ["\0", "\\\0", {"\0": 1}, "\ud800", float("inf"), [float("nan")]])
def test_what_a_database_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(Invalid, match="data holds"):
        json_bytes(value, "data")


def test_json_is_written_without_spaces_and_as_it_reads() -> None:
    assert json_bytes({"a": [1, "é"], "b": None}, "data") == '{"a":[1,"é"],"b":null}'.encode()


def test_an_escaped_backslash_before_u0000_is_text() -> None:
    assert json_bytes("\\u0000", "data") == b'"\\\\u0000"'
