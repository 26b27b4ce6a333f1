"""One module a page. `ALL` is every page, in the order of the navigation."""

from typing import Final

from controlplane.ui.page import Page
from controlplane.ui.pages import (
    datasets,
    dead_letters,
    decision,
    deployment,
    events,
    fleet,
    jobs,
    rollout,
    runs,
    tokens,
    triggers,
    version,
)

ALL: Final[tuple[Page, ...]] = (
    fleet.PAGE,
    deployment.PAGE,
    rollout.PAGE,
    decision.PAGE,
    datasets.PAGE,
    datasets.ONE,
    datasets.VERSION,
    version.PAGE,
    runs.PAGE,
    runs.ONE,
    jobs.ONE,
    triggers.PAGE,
    triggers.ONE,
    events.PAGE,
    dead_letters.PAGE,
    tokens.PAGE,
)
