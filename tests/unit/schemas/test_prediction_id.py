"""A prediction id is believed only with its deployment's signature."""

import base64
import hashlib
import hmac
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.packed_claims import pack, unpack
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


NUMBERS = st.integers(min_value=0, max_value=2**70)
TEXTS = st.text(max_size=40)
HEX = st.binary(max_size=20).map(bytes.hex)
ANY_CLAIMS = st.builds(
    PredictionClaims,
    d=st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?", fullmatch=True),
    r=st.none() | st.uuids(),
    g=NUMBERS,
    s=NUMBERS,
    v=st.uuids(),
    a=st.sampled_from(["stable", "canary"]),
    u=TEXTS | HEX,
    i=NUMBERS,
    c=TEXTS | HEX | HEX.map(str.upper),
    n=st.booleans(),
    k=st.booleans(),
    b=st.uuids(),
    t=st.integers(min_value=0, max_value=2**40 - 1),
)


@given(ANY_CLAIMS)
def test_whatever_is_packed_comes_back_and_no_part_of_it_is_taken_for_it(claims: PredictionClaims) -> None:
    packed = pack(claims)
    assert unpack(packed) == claims
    for end in range(len(packed)):
        with pytest.raises(ValueError):  # noqa: PT011 - pydantic's is one too
            unpack(packed[:end])
    for other in (packed + b"\0", b"\2" + packed[1:], bytes((packed[0], packed[1] | 64)) + packed[2:]):
        with pytest.raises(ValueError, match=r"goes on|expected form 1"):
            unpack(other)


def test_an_id_is_short_enough_to_copy() -> None:
    claims = CLAIMS.model_copy(update={"g": 12, "s": 3, "u": "0123456789abcdef" * 2})
    assert len(encode_prediction_id(claims, KEY)) < 180


def test_an_id_that_an_earlier_gateway_signed_as_json_is_believed() -> None:
    payload = base64.urlsafe_b64encode(CLAIMS.model_dump_json().encode()).rstrip(b"=").decode()
    signature = hmac.new(b"k" * 32, payload.encode(), hashlib.sha256).digest()
    signed = f"{payload}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert verify_prediction_id(signed, key_of) == CLAIMS
    with pytest.raises(InvalidPredictionId, match="signature"):
        verify_prediction_id(signed.replace(payload, payload[:-3] + "0fQ"), key_of)


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
