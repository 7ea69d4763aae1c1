"""Errors of settings, each in one sentence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]


def sentence(error: ValidationError, model: type[BaseModel], data: Any) -> str:
    """The first error of a validation as one sentence: field, value, correct values.

    Parameters
    ----------
    model
        The schema that raised the error.
    data
        The refused data, for schemas that depend on a `kind`.
    """
    details = min(error.errors(), key=_rank)
    steps = list(_steps(details["loc"], model, data))
    field = _dotted(steps)
    kind, value = details["type"], details["input"]
    if kind == "extra_forbidden":
        return _unknown_key(steps)
    if kind == "value_error" and (not steps or isinstance(value, BaseModel | dict)):
        return _in_section(field, str(details["ctx"]["error"]))
    about = _description(steps)
    if kind == "missing":
        return f"`{field}` is missing{about}"
    if kind == "value_error":
        return f"`{field}` is {value!r}, but {details['ctx']['error']}{about}"
    rule = re.sub("dictionary or instance of .*", "set of keys", details["msg"])
    rule = (
        rule.replace("Input should be", "it must be")
        .replace("a valid integer", "an integer")
        .replace("a valid", "a")
    )
    return f"`{field}` is {value!r:.80}, but {rule[0].lower()}{rule[1:]}{about}"


def _rank(details: ErrorDetails) -> tuple[int, int]:
    """Unknown keys first: they explain missing ones. Of a union, the branch that fits the value's type."""
    order = {"extra_forbidden": 0, "missing": 2}
    wrong_branch = details["type"].endswith("_type")
    return (order.get(details["type"], 1), int(wrong_branch))


def _in_section(field: str, message: str) -> str:
    return f"`{field}`: {message}" if field else message


class _Step:
    """One key or index on the way to a value, and the schema class that it belongs to."""

    def __init__(self, part: int | str, owner: type[BaseModel]) -> None:
        self.part = part
        self.owner = owner

    @property
    def field(self) -> FieldInfo | None:
        return fields_by_key(self.owner).get(self.part) if isinstance(self.part, str) else None


def fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a schema by the keys that a file has for them."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _steps(location: Location, model: type[BaseModel], data: Any) -> Iterator[_Step]:
    """The way to a location, without the names of union branches that pydantic puts between the keys."""
    owner: type[BaseModel] = model
    inside: FieldInfo | None = None  # the next index or key chooses one of its values
    for part in location:
        known = isinstance(part, str) and part in fields_by_key(owner)
        if isinstance(part, str) and not known and not (isinstance(data, Mapping) and part in data):
            owner = (inside and _branch(inside, part)) or owner
            continue
        yield _Step(part, owner)
        data = _inner(data, part)
        if known:
            inside = fields_by_key(owner)[str(part)]
        if inside is not None:
            owner = section_of(inside, data) or owner


def _inner(data: Any, part: int | str) -> Any:
    try:
        return data[part]
    except (KeyError, IndexError, TypeError):
        return getattr(data, str(part), None)


def _branch(field: FieldInfo, name: str) -> type[BaseModel] | None:
    """The section of this class name in a field's annotation."""
    return next((m for m in _sections(field.annotation) if m.__name__ == name), None)


def section_of(field: FieldInfo, value: Any = None) -> type[BaseModel] | None:
    """The schema class of a field's value, or of each of its items; None if it is not a set of keys."""
    by_kind = kinds_of(field)
    if by_kind is None:
        return next(_sections(field.annotation), None)
    if isinstance(value, Mapping):
        try:
            found: type[BaseModel] = by_kind.schema_of(value)
        except ValueError:
            return None
        return found
    return None


def kinds_of(field: FieldInfo) -> Any | None:
    """The `alflow.registry.ByKind` of a field whose schema depends on its `kind`."""
    for part in (*field.metadata, *_metadata(field.annotation)):
        if hasattr(part, "schema_of"):
            return part
    return None


def _metadata(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for argument in get_args(annotation):
        yield from _metadata(argument)


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections(argument)


def _dotted(steps: list[_Step]) -> str:
    text = ""
    for step in steps:
        if isinstance(step.part, int):
            text += f"[{step.part}]"
        else:
            text += f".{step.part}" if text else step.part
    return text


def _description(steps: list[_Step]) -> str:
    for step in reversed(steps):
        if step.field is not None:
            return f" ({step.field.description})" if step.field.description else ""
    return ""


def _unknown_key(steps: list[_Step]) -> str:
    *parents, last = steps
    known = list(fields_by_key(last.owner))
    close = difflib.get_close_matches(str(last.part), known, n=1, cutoff=0.6)
    hint = f"did you mean `{close[0]}`?" if close else f"known keys are {', '.join(known)}"
    where = f" in `{_dotted(parents)}`" if parents else ""
    return f"`{last.part}`{where} is not a known key; {hint}"
