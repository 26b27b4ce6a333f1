"""Version: what it is, what it was made of, what was found out about it, and where it served."""

from typing import Final

from controlplane.ui.page import Ask, Found, Page


def look(ask: Ask) -> Found:
    return {"version": ask.client.get_model_version(f"{ask.names['model']}/{ask.names['number']}")}


def concerns(found: Found) -> frozenset[str]:
    version = found["version"]
    return frozenset({str(version.id), f"{version.model}/{version.version}"})


PAGE: Final = Page(
    path="/models/{model}/{number}",
    template="version.html",
    look=look,
    fragments=("identity", "evidence", "lineage"),
    concerns=concerns,
)
