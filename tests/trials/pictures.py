"""`python -m tests.trials.pictures`: the README's pictures of the web UI, from what a demo left.

The demo's home folder is copied first; an API and a UI of the copy are started, and stopped again.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import Page

from tests.support.browser import browser, chromium
from tests.support.ports import free_ports
from tests.support.readiness import is_ready
from tests.support.waiting import wait_for

ROOT: Final = Path(__file__).parents[2]
IMAGES: Final = ROOT / ".github" / "images"
WINDOW: Final = {"width": 1000, "height": 640}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trials.pictures", description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / ".graftwork", help="what the demo left")
    home: Path = parser.parse_args().home
    if (executable := chromium()) is None:
        sys.exit("no chromium on the path (apt-get install chromium)")
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "home"
        shutil.copytree(home, copy)
        with served(copy) as url, browser(executable) as opened:
            page = opened.new_page(viewport=WINDOW, color_scheme="light")
            page.goto(url)
            page.get_by_label("Token").fill((copy / "admin.token").read_text().strip())
            page.get_by_role("button", name="Sign in").click()
            take(page, url)
    return 0


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The UI's address."""
    api, ui = free_ports(2)
    told = {"GRAFTWORK_HOME": str(home), "GRAFTWORK_PORT": str(api), "GRAFTWORK_UI_PORT": str(ui)}
    command = [sys.executable, "-m", "controlplane"]
    started = [
        subprocess.Popen([*command, process], env={**os.environ, **told}, stderr=subprocess.DEVNULL)
        for process in ("api", "ui")
    ]
    try:
        wait_for(lambda: is_ready(f"http://127.0.0.1:{api}"), "the API is ready")
        yield f"http://127.0.0.1:{ui}"
    finally:
        for process in started:
            process.terminate()
            process.wait()


def take(page: Page, url: str) -> None:
    """The deployment, the rollout that was promoted by its evidence, why another was rolled back, a version."""
    page.goto(f"{url}/deployments/reviews")
    shoot(page, "deployment")
    promoted = page.locator("#rollouts tr", has=page.get_by_text("SAFE", exact=True))
    rolled_back = page.locator("#rollouts tr", has=page.get_by_text("HARM", exact=True))
    safe, harm = (row.locator("th a").get_attribute("href") for row in (promoted, rolled_back))
    version = promoted.locator("td a").first.get_attribute("href")
    page.goto(f"{url}{safe}")
    shoot(page, "rollout")
    page.goto(f"{url}{harm}")
    page.locator("#decisions tr", has=page.get_by_text("HARM", exact=True)).get_by_role("link").click()
    shoot(page, "why")
    page.goto(f"{url}{version}")
    shoot(page, "version")


def shoot(page: Page, name: str) -> None:
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_load_state("load")
    page.screenshot(path=IMAGES / f"ui-{name}.png")


if __name__ == "__main__":
    sys.exit(main())
