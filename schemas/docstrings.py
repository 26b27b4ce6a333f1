"""Reads the string below each field: that sentence is what OpenAPI, JSON Schema and the reference say of the field.

pydantic's own `use_attribute_docstrings` reads the source of every class when it is imported, which costs each verb
of the CLI a tenth of a second; here it is read when somebody asks for a schema.
"""

import ast
import inspect
from functools import cache
from textwrap import dedent

from pydantic import BaseModel


def fields_of(cls: type[BaseModel]) -> dict[str, str]:
    """Field to its sentence on one line, with those that the class inherits."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= _own(base)
    return {name: words for name, words in found.items() if name in cls.model_fields}


@cache
def _own(cls: type) -> dict[str, str]:
    try:
        source = dedent(inspect.getsource(cls))
    except (OSError, TypeError):  # built in, or a parametrised generic: its origin is among the bases too
        return {}
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = " ".join(words.split())
    return found
