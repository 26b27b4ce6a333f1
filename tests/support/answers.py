"""What an API answered, when it was to answer well."""

from typing import Any


def ok(response: Any) -> Any:
    """The document; fails with the whole answer unless its status is a good one."""
    assert response.status_code < 300, response.text
    return response.json()
