"""What every part of the client stands on."""

from controlplane.client.connection import Connection


class Part:
    """What one noun of the API can do, one method a route."""

    def __init__(self, api: Connection) -> None:
        self._api = api
