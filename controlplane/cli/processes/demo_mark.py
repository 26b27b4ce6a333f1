"""How a folder is known as a demo's: the next demo wipes it, and nothing else is ever wiped."""

from pathlib import Path

MARK = "this-is-a-demo"


def is_demo(home: Path) -> bool:
    return (home / MARK).exists()
