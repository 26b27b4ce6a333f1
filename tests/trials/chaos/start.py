"""Opens a site and lays its foundation."""

import random
from collections.abc import Callable
from pathlib import Path

from tests.trials.chaos import foundation
from tests.trials.chaos.caller import Caller
from tests.trials.chaos.ledger import Ledger
from tests.trials.chaos.site import ChaosSite


def open_site(make: Callable[[Path], ChaosSite], folder: Path) -> ChaosSite:
    """Ready for its first round. What was started is ended when it does not come up."""
    site = make(folder)
    try:
        site.start()
        with Caller(site.api_url, site.admin_token, Ledger(), random.Random(), repeats=0) as caller:
            foundation.lay(site, caller)
    except BaseException:
        site.close()
        site.remove()
        raise
    return site
