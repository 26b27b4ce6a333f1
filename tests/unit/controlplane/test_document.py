"""Documents that strangers write."""

import json

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


NO_TEXT = "holds U+0000 or half of a surrogate pair, expected Unicode text that a database can store"
TOO_LARGE = "an integer beyond 64 bits, expected at most 9223372036854775807"
UNREADABLE = "not readable as YAML or JSON: "


@pytest.mark.parametrize(
    ("body", "said", "field"),
    [
        (b"a: 1\na: 2", f"{UNREADABLE}key 'a' is written twice at line 2, column 1", "body"),
        (b"a: [1,\nb: 2", f"{UNREADABLE}expected ',' or ']', but got '<stream end>' at line 2, column 5", "body"),
        (b"a: &a [1]\nb: {<<: {x: 1}}", f"{UNREADABLE}merge keys (`<<`) are not read here at line 2, column 5", "body"),
        (b"ok\xff\xfe", "not UTF-8: invalid start byte at byte 2", "body"),
        (b"- 1", "expected an object with keys, found a list", "body"),
        (b"", "expected an object with keys, found nothing", "body"),
        (b"no", "expected an object with keys, found text", "body"),
        (b"3.5", "expected an object with keys, found a number", "body"),
        (b"1: x", f"{UNREADABLE}key 1: expected text; put it in quotes at line 1, column 1", "body"),
        (b"? [1, 2]\n: x", f"{UNREADABLE}key [1, 2]: expected text; put it in quotes at line 1, column 3", "body"),
        (b"name: other", "the body's name is 'other', expected 'p' as in the path", "name"),
        (b"a: {b: [.nan]}", "nan is not JSON, expected a finite number", "a.b.0"),
        (b"a: -.inf", "-inf is not JSON, expected a finite number", "a"),
        (b"a: 1e999", "inf is not JSON, expected a finite number", "a"),
        (b"a: 9223372036854775808", TOO_LARGE, "a"),
        (b"a: -9223372036854775808", TOO_LARGE, "a"),
        (b"a: " + b"9" * 20, TOO_LARGE, "a"),
        (b"a: " + b"9" * 21, f"{UNREADABLE}an integer beyond 64 bits at line 1, column 4", "body"),
        (b"a: " + b"9" * 5000, f"{UNREADABLE}an integer beyond 64 bits at line 1, column 4", "body"),
        (b'a: "\\0"', NO_TEXT, "a"),
        (b'a: "\\ud800"', NO_TEXT, "a"),
        (b"a: \x00", f"{UNREADABLE}special characters are not allowed, at character 3", "body"),
        (b"a: !!int x", f"{UNREADABLE}a value is not what its tag says", "body"),
        (b"a: " + b"[" * 3000, f"{UNREADABLE}nested too deeply", "body"),
        (GROWS, "it has more than 20000 values, aliases written out", "body"),
        (
            b"a: [{uri: 'http://u:p@h/x'}]",
            "a URI names a user or a password, which would be kept: expected one without",
            "body",
        ),
    ],
)
def test_bad_documents_say_what_is_wrong_and_where(body: bytes, said: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        load_document(body, "p")
    assert (refused.value.detail, refused.value.field) == (said, field)


@pytest.mark.parametrize("value", [1e-05, 5e-5, 1e3, 1e16, -0.5, 0, 10, True, None, "no", "1:30", "~x", "0x", "on"])
def test_what_json_writes_is_read_as_json_means_it(value: object) -> None:
    """Also with a library's own way to write a number: `1e-05` is no number by YAML 1.1."""
    assert load_document(json.dumps({"a": value}).encode(), "p")["a"] == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"), ("Yes", "Yes"), ("off", "off"), ("y", "y"), ("TRUE", True), ("false", False),
        ("1:30", "1:30"), ("1_000", "1_000"), ("010", 10), ("0o10", 8), ("0x10", 16), ("+3", 3),
        ("5e-5", 5e-5), ("1E3", 1000.0), (".5", 0.5), ("1.", 1.0), ("-1.5e+3", -1500.0), ("1e", "1e"),
        ("~", None), ("", None), ("Null", None), ("2024-01-01", "2024-01-01"), ("'5'", "5"), ("=", "="),
        ("-9223372036854775807", 1 - 2**63),
    ],
)  # fmt: skip
def test_a_word_without_quotes_means_what_yaml_1_2_says(written: str, value: object) -> None:
    found = load_document(f"a: {written}".encode(), "p")["a"]
    assert found == value
    assert type(found) is type(value)


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


A_NUL = "data holds the character U+0000, which a database cannot store"
NOT_JSON = "data holds NaN, an infinity or too deep a nesting, expected plain JSON"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("\0", A_NUL),
        ("\\\0", A_NUL),
        ({"\0": 1}, A_NUL),
        ("\ud800", r"data holds a lone surrogate (\ud800 to \udfff), expected Unicode text"),
        (float("inf"), NOT_JSON),
        ([float("nan")], NOT_JSON),
    ],
)
def test_what_a_database_cannot_hold_is_refused(value: object, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        json_bytes(value, "data")
    assert (refused.value.detail, refused.value.field) == (said, "data")


def test_what_is_nested_too_deeply_to_be_written_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        json_bytes(nested(9999), "data")
    assert (refused.value.detail, refused.value.field) == (NOT_JSON, "data")


def test_json_is_written_without_spaces_and_as_it_reads() -> None:
    assert json_bytes({"a": [1, "é"], "b": None}, "data") == '{"a":[1,"é"],"b":null}'.encode()


def test_an_escaped_backslash_before_u0000_is_text() -> None:
    assert json_bytes("\\u0000", "data") == b'"\\\\u0000"'
