"""Where a spec refers to versions, and which of its fields the control plane fills: told by its fields' types alone."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from schemas.artifacts import Reference

Change = Callable[[type[Reference], Any, str], Any]
"""What shall stand in place of a value, by the type of reference that belongs there and the value's dotted path."""
CHOICES: Final = (Union, UnionType)


@dataclass(frozen=True)
class Filled:
    """Marks a field that the control plane fills, by the model version that the field `of` refers to."""

    of: str


class GraphOf(Filled):
    """Marks a field for the version's newest graph; a request for a version without one is refused, unless its task is
    asked in PyTorch then."""


class ServedGraphOf(Filled):
    """Marks a field for the version's newest graph; a request for a version without one is refused."""


@dataclass(frozen=True)
class BaseGraphOf(Filled):
    """Marks a field for the base graph that an earlier export left for the version; null: there is none yet."""

    precision: str
    """The field that says how the graph keeps the base's weights."""


class TrainedOn(Filled):
    """Marks a field for the dataset versions whose train rows the version, or what it is made of, learnt from."""


@dataclass(frozen=True)
class OtherThan:
    """Marks a reference to another version than the one of the field `of`.

    An alias of the same model that is not set yet is null there: a first release has nothing to be compared with.
    """

    of: str


Mark = TypeVar("Mark", bound=Filled | OtherThan)


def marked(spec: type[BaseModel], mark: type[Mark]) -> dict[str, Mark]:
    """The fields of a spec that have such a mark, with it."""
    return {name: one for name, field in spec.model_fields.items() for one in field.metadata if isinstance(one, mark)}


def references(value: Any) -> Iterator[Reference]:
    """Every reference in a spec, in the order of its fields."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from references(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from references(item)


def with_references(spec: type[BaseModel], document: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """A document that shall become such a spec, with `change` made to whatever stands where a reference belongs.

    What does not fit the spec's types is left as it is, for the spec's own validation to refuse.
    """
    return _with_fields(spec, document, change, "")


def _with_fields(model: type[BaseModel], document: Mapping[str, Any], change: Change, prefix: str) -> dict[str, Any]:
    found = {name: field.annotation for name, field in model.model_fields.items() if name in document}
    return {
        **document,
        **{name: _changed(wanted, document[name], change, f"{prefix}{name}") for name, wanted in found.items()},
    }


def _changed(wanted: Any, value: Any, change: Change, path: str) -> Any:
    """`wanted`: the annotation of where the value stands."""
    if get_origin(wanted) is tuple and isinstance(value, list | tuple):
        return [_changed(get_args(wanted)[0], item, change, f"{path}.{place}") for place, item in enumerate(value)]
    fitting = [model for model in _models(wanted) if _fits(model, value)]
    if value is None or not fitting:
        return value
    if issubclass(fitting[0], Reference):
        return change(fitting[0], value, path)
    document = _written_out(fitting[0], value)
    return _with_fields(fitting[0], document, change, f"{path}.") if isinstance(document, Mapping) else value


def _models(wanted: Any) -> list[type[BaseModel]]:
    """The models that may stand there."""
    if get_origin(wanted) is Annotated:
        return _models(get_args(wanted)[0])
    if get_origin(wanted) in CHOICES:
        return [model for choice in get_args(wanted) for model in _models(choice)]
    return [wanted] if isinstance(wanted, type) and issubclass(wanted, BaseModel) else []


def _fits(model: type[BaseModel], value: Any) -> bool:
    """Whether no tag in the value says that another model is meant."""
    if not isinstance(value, Mapping):
        return True
    tags = {name: field.annotation for name, field in model.model_fields.items() if name in value}
    return all(value[name] in get_args(tag) for name, tag in tags.items() if get_origin(tag) is Literal)


def _written_out(model: type[BaseModel], value: Any) -> Any:
    """A part whose one required field is a reference may be written as that reference alone."""
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    is_short = len(required) == 1 and any(
        issubclass(inner, Reference) for inner in _models(model.model_fields[required[0]].annotation)
    )
    return {required[0]: value} if is_short and not isinstance(value, Mapping) else value
