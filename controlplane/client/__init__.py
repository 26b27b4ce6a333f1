"""The Python client, which `graftwork` makes public: `from graftwork import Client`."""

from controlplane.client.client import Client
from controlplane.client.connection import ApiError, Unreachable
from controlplane.client.gateway import Gateway

__all__ = ["ApiError", "Client", "Gateway", "Unreachable"]
