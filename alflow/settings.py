"""The base of every settings class: strict, frozen, with the documentation in the fields.

A settings class is declared once, beside the code that it configures. Campaign files are made of the same
classes, and the pages of the documentation are made from them. Names include units, and every number
has bounds that a mistake by a factor of 100 exceeds.
"""

from __future__ import annotations

from typing import Annotated, Any

from ase.data import chemical_symbols
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from alflow.errors import InputError
from alflow.sentences import sentence


class Section(BaseModel):
    """Settings: unknown keys, wrong types, NaN and infinity are errors.

    Raises
    ------
    InputError
        If an argument of the constructor is wrong: one sentence that names the field and the value.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(sentence(error, type(self), values)) from None

    # pydantic assumes that an overridden constructor validates by itself, and would call it for sections
    # inside other sections, where pydantic's own errors know the path to the field.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


def _name(value: str) -> str:
    if not value or not all(c.isalnum() or c in "-_.+" for c in value) or value[0] == ".":
        raise ValueError("a name is made of letters, digits and - _ . +")
    return value


def _symbol(value: str) -> str:
    if value not in chemical_symbols[1:]:
        raise ValueError("a species is a chemical symbol such as Cu")
    return value


Name = Annotated[str, AfterValidator(_name)]
Symbol = Annotated[str, AfterValidator(_symbol)]
