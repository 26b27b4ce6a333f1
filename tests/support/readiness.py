"""Whether one of our servers says that it can do its work."""

import httpx


def is_ready(url: str) -> bool:
    """`/readyz` answers with success; nobody there, or no answer in 5 s, is not ready."""
    try:
        return httpx.get(f"{url}/readyz", timeout=5).is_success
    except httpx.HTTPError:
        return False
