"""Temperatures and pressures that change along a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Discriminator, Field, Tag

from alflow.settings import Section

TemperatureValue = Annotated[float, Field(ge=0, le=20_000)]
PressureValue = Annotated[float, Field(ge=-50, le=1000)]


class Ramp(Section):
    """A value that changes linearly over the whole run: ``{from: 300, to: 1500}``."""

    model_config = ConfigDict(serialize_by_alias=True)

    start: float = Field(alias="from", description="value at the beginning of the run")
    end: float = Field(alias="to", description="value at the end of the run")

    @classmethod
    def between(cls, start: float, end: float) -> Self:
        """The ramp from `start` to `end`; Python does not allow an argument named `from`."""
        return cls(**{"from": start, "to": end})

    def value(self, step: int, steps: int) -> float:
        """The value at a step of a run of `steps` steps; after its end, the last value."""
        done = min(1.0, step / steps) if steps else 0.0
        return self.start + done * (self.end - self.start)


class TemperatureRamp(Ramp):
    """A temperature that changes linearly over the whole run."""

    start: TemperatureValue = Field(alias="from", description="temperature at the beginning, K")
    end: TemperatureValue = Field(alias="to", description="temperature at the end, K")


class PressureRamp(Ramp):
    """A pressure that changes linearly over the whole run."""

    start: PressureValue = Field(alias="from", description="pressure at the beginning, GPa")
    end: PressureValue = Field(alias="to", description="pressure at the end, GPa")


def _form(value: Any) -> str:
    return "ramp" if isinstance(value, Mapping | Ramp) else "number"


# The discriminator keeps the errors of one form separate from those of the other.
Temperature = Annotated[
    Annotated[TemperatureValue, Tag("number")] | Annotated[TemperatureRamp, Tag("ramp")], Discriminator(_form)
]
Pressure = Annotated[
    Annotated[PressureValue, Tag("number")] | Annotated[PressureRamp, Tag("ramp")], Discriminator(_form)
]


def value_at(target: float | Ramp, step: int, steps: int) -> float:
    """The value of a number or ramp at a step of a run of `steps` steps."""
    return target.value(step, steps) if isinstance(target, Ramp) else target


def ends(target: float | Ramp) -> tuple[float, float]:
    """The values of a number or ramp at the beginning and at the end of the run."""
    return (target.start, target.end) if isinstance(target, Ramp) else (target, target)
