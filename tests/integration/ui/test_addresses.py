"""What the command line prints as an address is a page."""

import re

from controlplane.client.addresses import PATHS
from controlplane.ui.pages import ALL


def test_every_address_is_a_pages() -> None:
    class Anything:
        def __getattr__(self, _name: str) -> str:
            return "name"

    pages = [re.compile(re.sub(r"\{[a-z]+\}", "[^/]+", page.path)) for page in ALL]
    for kind, path in PATHS.items():
        assert any(page.fullmatch(path(Anything())) for page in pages), kind
