"""Where everything that is fetched or trained once a machine is kept, for tests, load and benchmarks alike."""

import os
from pathlib import Path


def downloads() -> Path:
    """GRAFTWORK_TEST_CACHE, else the user's cache folder."""
    folder = Path(os.environ.get("GRAFTWORK_TEST_CACHE") or Path.home() / ".cache" / "graftwork-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
