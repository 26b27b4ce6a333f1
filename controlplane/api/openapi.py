"""Writes the OpenAPI document that CI compares: `python -m controlplane.api.openapi`."""

import json
from pathlib import Path

from controlplane.api.app import create_app
from controlplane.continuations import open_database
from controlplane.settings import Settings

FILE = Path(__file__).parents[2] / "schemas" / "generated" / "openapi.json"


def document() -> str:
    app = create_app(Settings(), open_database("sqlite:///never-opened.db"))
    return json.dumps(app.openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(document())
