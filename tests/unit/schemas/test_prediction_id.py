"""A prediction id is believed only with its deployment's signature."""

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.prediction_id import InvalidPredictionId, encode_prediction_id, verify_prediction_id
from schemas.serving import PredictionClaims

KEY = base64.b64encode(b"k" * 32).decode()
CLAIMS = PredictionClaims(
    d="reviews", r=UUID(int=1), g=3, s=0, v=UUID(int=2), a="canary", u="0123456789abcdef", i=1, c="positive", n=True,
    k=False, b=UUID(int=3), t=1_750_000_000,
)  # fmt: skip


def key_of(deployment: str) -> str | None:
    return KEY if deployment == "reviews" else None


def test_claims_come_back_as_they_were_signed() -> None:
    assert verify_prediction_id(encode_prediction_id(CLAIMS, KEY), key_of) == CLAIMS


def test_an_id_fits_the_feedback_request() -> None:
    long = CLAIMS.model_copy(update={"d": "d" * 64, "c": "ü" * 200, "u": "f" * 32})
    assert len(encode_prediction_id(long, KEY)) <= 1000


def test_another_key_is_refused() -> None:
    stranger = base64.b64encode(b"x" * 32).decode()
    with pytest.raises(InvalidPredictionId, match="signature"):
        verify_prediction_id(encode_prediction_id(CLAIMS, stranger), key_of)


def test_an_unknown_deployment_is_refused() -> None:
    other = CLAIMS.model_copy(update={"d": "other"})
    with pytest.raises(InvalidPredictionId, match="unknown deployment 'other'"):
        verify_prediction_id(encode_prediction_id(other, KEY), key_of)


def test_changed_claims_are_refused() -> None:
    signature = encode_prediction_id(CLAIMS, KEY).partition(".")[2]
    forged = encode_prediction_id(CLAIMS.model_copy(update={"a": "stable"}), KEY).partition(".")[0]
    with pytest.raises(InvalidPredictionId):
        verify_prediction_id(f"{forged}.{signature}", key_of)


def test_a_signature_has_one_spelling() -> None:
    """The last character holds two spare bits: four spellings decode alike, and an id must count once."""
    genuine = encode_prediction_id(CLAIMS, KEY)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(genuine[-1])
    for other in range(last - last % 4, last - last % 4 + 4):
        if other != last:
            with pytest.raises(InvalidPredictionId):
                verify_prediction_id(genuine[:-1] + alphabet[other], key_of)
    for padded in (genuine + "=", genuine + "\n", " " + genuine):
        with pytest.raises(InvalidPredictionId):
            verify_prediction_id(padded, key_of)


@given(st.text(max_size=1200))
def test_nonsense_is_refused_clearly(text: str) -> None:
    with pytest.raises(InvalidPredictionId):
        verify_prediction_id(text, key_of)
