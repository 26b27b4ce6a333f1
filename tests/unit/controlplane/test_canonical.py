"""Canonical JSON: the same value has the same bytes, and so the same digest, in every release."""

import math

import pytest

from controlplane.domain.canonical import canonical_json, digest


def test_keys_are_sorted_nothing_is_spaced_and_text_is_utf_8() -> None:
    value = {"b": [1, 0.1, None, True], "a": {"d": "ä", "c": {}}}
    assert canonical_json(value) == '{"a":{"c":{},"d":"ä"},"b":[1,0.1,null,true]}'.encode()


def test_a_digest_names_its_algorithm() -> None:
    assert digest("") == "sha256:12ae32cb1ec02d01eda3581b127c1fee3b0dc53572ed6baf239721a03d82e126"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_json_has_no_word_for_has_no_digest(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        digest([number])
