"""The command line of a process that is no verb: what is wrong with it is one line, as a verb says it."""

from argparse import ArgumentParser
from typing import NoReturn


class Arguments(ArgumentParser):
    """A parser that refuses in one line, without its usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")
