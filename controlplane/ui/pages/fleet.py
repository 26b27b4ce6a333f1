"""Fleet: every deployment, what serves there, what is under way, and what waits for a person."""

from typing import Final

from controlplane.ui.page import Ask, Found, Page
from schemas.views.fleet import FleetRow

ROWS: Final = 100


def look(ask: Ask) -> Found:
    """Those where something is under way stand first, and those that wait for a person before them."""
    page = ask.client.fleet_page(cursor=ask.options.get("cursor"), limit=ROWS)
    busy = [] if "cursor" in ask.options else ask.client.fleet_page(under_way=True, limit=ROWS).items
    return {
        "under_way": sorted(busy, key=lambda row: (not row.waits_for_a_person, row.deployment)),
        "deployments": page.items,
        "next": page.next,
    }


def concerns(found: Found) -> frozenset[str]:
    rows: list[FleetRow] = [*found["under_way"], *found["deployments"]]
    return frozenset(row.deployment for row in rows)


PAGE: Final = Page(
    path="/",
    template="fleet.html",
    look=look,
    fragments=("under-way", "deployments"),
    every_seconds=lambda found: 5.0 if found["under_way"] else 15.0,
)
