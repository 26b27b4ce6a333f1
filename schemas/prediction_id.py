"""Signed prediction ids: how a gateway says what it answered, and how the control plane believes it."""

import base64
import hashlib
import hmac
from collections.abc import Callable

from schemas.packed_claims import pack, unpack
from schemas.serving import PredictionClaims

MAX_LENGTH = 1000
"""Characters of a prediction id, as `FeedbackRequest.prediction_id`."""


class InvalidPredictionId(ValueError):
    """The prediction id was not signed by this deployment's key."""


def encode_prediction_id(claims: PredictionClaims, signing_key: str) -> str:
    """`base64url(claims).base64url(hmac-sha256)`; `signing_key` is base64, as a generation carries it."""
    payload = _base64url(pack(claims))
    return f"{payload}.{_signature(payload, signing_key)}"


def verify_prediction_id(prediction_id: str, key_of: Callable[[str], str | None]) -> PredictionClaims:
    """The claims, once the key of the deployment that they name has proven them; `key_of` answers None for a stranger.

    Signatures are compared as text: decoded, one signature has several spellings, and an id counts once.
    """
    payload, dot, signature = prediction_id.partition(".")
    if not dot or len(prediction_id) > MAX_LENGTH or not prediction_id.isascii():
        raise InvalidPredictionId("expected `payload.signature` as a gateway returned it")
    try:
        claims = unpack(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError as error:  # pydantic's ValidationError too
        raise InvalidPredictionId("its payload cannot be read") from error
    key = key_of(claims.d)
    if key is None:
        raise InvalidPredictionId(f"unknown deployment {claims.d!r}")
    if not hmac.compare_digest(signature, _signature(payload, key)):
        raise InvalidPredictionId(f"its signature is not that of deployment {claims.d!r}")
    return claims


def _signature(payload: str, signing_key: str) -> str:
    return _base64url(hmac.new(base64.b64decode(signing_key), payload.encode(), hashlib.sha256).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
