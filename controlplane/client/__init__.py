"""The Python client, usable from a notebook: `from controlplane.client import Client`."""

from controlplane.client.client import Client
from controlplane.client.connection import ApiError, Unreachable

__all__ = ["ApiError", "Client", "Unreachable"]
