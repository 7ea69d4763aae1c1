"""Doors: objects of one kind by name, from alflow and from other installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from alflow.errors import InputError
from alflow.settings import Section

Thing = TypeVar("Thing")


class Registry(Generic[Thing]):
    """Objects by name. Another package adds an object by an entry point, without a change in alflow.

    Parameters
    ----------
    what
        The noun that error messages use, such as "explorer".
    group
        Entry point group that other packages add to; the entry point's name is the object's name.
    own
        Name → ``module:object`` of alflow's own objects; each is imported on its first use.
    """

    def __init__(self, what: str, group: str, own: Mapping[str, str]) -> None:
        self.what = what
        self.group = group
        self._own = {name: EntryPoint(name, value, group) for name, value in own.items()}

    def names(self) -> list[str]:
        """All names, alflow's own first."""
        return list(self._points())

    def get(self, name: str) -> Thing:
        """The object with a name.

        Raises
        ------
        InputError
            If there is no object with this name, or the package that offers it cannot be imported.
        """
        point = self._points().get(name)
        if point is None:
            raise InputError(f"there is no {self.what} {name!r}; it is one of {', '.join(self.names())}")
        try:
            found: Thing = point.load()
        except (ImportError, AttributeError) as error:
            raise InputError(f"{self.what} {name!r} ({point.value}) cannot be imported: {error}") from None
        return found

    def _points(self) -> dict[str, EntryPoint]:
        others = {point.name: point for point in _entry_points(self.group)}
        return self._own | {name: point for name, point in others.items() if name not in self._own}


@cache
def _entry_points(group: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=group))


@dataclass(frozen=True)
class ByKind:
    """Annotation of a field whose ``kind`` chooses its schema: the `Settings` of a registry's object.

    Parameters
    ----------
    registry
        A registry of objects with a class `Settings`.
    default
        The kind of a field without `kind`.
    """

    registry: Registry[Any]
    default: str

    def schema_of(self, value: Mapping[str, Any]) -> type[Section]:
        """The settings class for a set of keys.

        Raises
        ------
        InputError
            If the `kind` among them is unknown.
        """
        kind = value.get("kind", self.default)
        if not isinstance(kind, str):
            raise InputError(f"`kind` is {kind!r}, but it is one of {', '.join(self.registry.names())}")
        return self.registry.get(kind).Settings  # type: ignore[no-any-return]

    def schemas(self) -> dict[str, type[Section]]:
        """The settings class of each kind."""
        return {name: self.registry.get(name).Settings for name in self.registry.names()}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._validated, handler(source))

    def _validated(self, value: Any) -> Any:
        return self.schema_of(value).model_validate(value) if isinstance(value, dict) else value
