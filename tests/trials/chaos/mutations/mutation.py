"""One way to spoil the design, as edits of the source's syntax tree."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

from tests.trials.chaos.plan import TOPOLOGIES, RoundPlan, Topology


class NotFound(Exception):
    """A mutation's old code is not in its place exactly once: the source has moved on, mend the mutation"""


@dataclass(frozen=True)
class Edit:
    """Replaces statements, or one expression, that the source's syntax tree has: layout and comments are free."""

    place: str
    """`package.module:function` or `package.module:Class.method` that holds the code; no `:` means the whole module."""
    old: str
    new: str
    imports: str = ""
    """Statements that `new` needs at the top of the module."""

    @property
    def file(self) -> str:
        return f"{self.place.split(':')[0].replace('.', '/')}.py"

    def apply(self, root: Path) -> None:
        """Raises NotFound."""
        path = root / self.file
        source = Source(path.read_text() if path.is_file() else "")
        found = list(source.places(self.place.partition(":")[2], dedent(self.old)))
        if len(found) != 1:
            raise NotFound(f"{self.place}: found {len(found)} times, expected once:\n{self.old}")
        path.write_text(source.replaced(*found[0], dedent(self.new).strip("\n"), self.imports))


class Source:
    """A module's text and its syntax tree."""

    def __init__(self, text: str) -> None:
        self._lines = text.encode().splitlines(keepends=True)
        self._tree = ast.parse(text)

    def places(self, scope: str, code: str) -> Iterator[tuple[ast.AST, ast.AST]]:
        """The first and the last node of every run of statements, or the expression, that is `code`."""
        wanted = ast.parse(code).body
        sought = [ast.dump(statement) for statement in wanted]
        for node in ast.walk(self._scope(scope)):
            for block in _blocks(node):
                for start in range(len(block) - len(sought) + 1):
                    run = block[start : start + len(sought)]
                    if [ast.dump(statement) for statement in run] == sought:
                        yield run[0], run[-1]
        if len(wanted) == 1 and isinstance(wanted[0], ast.Expr):
            statements = {id(node.value) for node in ast.walk(self._tree) if isinstance(node, ast.Expr)}
            expression = ast.dump(wanted[0].value)
            for node in ast.walk(self._scope(scope)):
                if isinstance(node, ast.expr) and id(node) not in statements and ast.dump(node) == expression:
                    yield node, node

    def replaced(self, first: ast.AST, last: ast.AST, new: str, imports: str) -> str:
        """The text with `new` in place of those nodes."""
        begin, end = self._offset(first.lineno, first.col_offset), self._offset(last.end_lineno, last.end_col_offset)
        text = b"".join(self._lines)
        put = f"({new})" if isinstance(first, ast.expr) else indent(new, " " * first.col_offset).lstrip(" ")
        text = text[:begin] + put.encode() + text[end:]
        top = self._offset(self._first_import(), 0)
        return (text[:top] + (f"{imports}\n".encode() if imports else b"") + text[top:]).decode()

    def _scope(self, name: str) -> ast.AST:
        """Nothing, where there is no such class or function."""
        scope: ast.AST = self._tree
        for part in filter(None, name.split(".")):
            inside = [node for block in _blocks(scope) for node in block if getattr(node, "name", None) == part]
            if len(inside) != 1:
                return ast.Module([], [])
            [scope] = inside
        return scope

    def _first_import(self) -> int:
        return next((node.lineno for node in self._tree.body if isinstance(node, (ast.Import, ast.ImportFrom))), 1)

    def _offset(self, line: int, column: int) -> int:
        return sum(map(len, self._lines[: line - 1])) + column


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        if isinstance(block := getattr(node, name, None), list):
            yield block


@dataclass(frozen=True)
class Mutation:
    name: str
    breaks: str
    """What the design says and this does not do."""
    edits: tuple[Edit, ...]
    topologies: tuple[Topology, ...] = TOPOLOGIES
    hit_by: tuple[str, ...] = ()
    """Words of a plan (`kill relay`, `train`): of the ordinary seeds, those that have most of them are played first."""

    def apply(self, root: Path) -> None:
        """Raises NotFound when the source has moved on."""
        for edit in self.edits:
            edit.apply(root)

    def order(self, plans: Sequence[RoundPlan]) -> list[int]:
        """Seeds in the order in which they are played."""
        return [plan.seed for plan in sorted(plans, key=self._hits, reverse=True)]

    def _hits(self, plan: RoundPlan) -> int:
        said = "\n".join(plan.lines())
        return sum(words in said for words in self.hit_by)
