from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Annotated, Literal

import pytest
from pydantic import SerializeAsAny, ValidationError

from alflow import registry
from alflow.errors import InputError
from alflow.registry import ByKind, Registry
from alflow.sentences import sentence
from alflow.settings import Section


class Animal(Section):
    kind: str


class Cat(Animal):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(Animal):
    kind: Literal["dog"] = "dog"
    bark_dB: float = 80.0


class CatKind:
    Settings = Cat


class DogKind:
    Settings = Dog


GROUP = "alflow.tests"
ANIMALS: Registry[CatKind | DogKind] = Registry("animal", GROUP, {"cat": f"{__name__}:CatKind"})


class Zoo(Section):
    animals: list[Annotated[SerializeAsAny[Animal], ByKind(ANIMALS, default="cat")]]


@pytest.fixture
def dogs_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = (EntryPoint("dog", f"{__name__}:DogKind", GROUP), EntryPoint("bird", "no_such_module:X", GROUP))
    monkeypatch.setattr(registry, "_entry_points", lambda group: points if group == GROUP else ())


def refusal(data: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Zoo.model_validate(data)
    return sentence(caught.value, Zoo, data)


def test_what_other_packages_offer_comes_after_our_own(dogs_are_installed: None) -> None:
    assert ANIMALS.names() == ["cat", "dog", "bird"]
    assert ANIMALS.get("dog") is DogKind


def test_unknown_names_and_broken_packages_are_one_sentence(dogs_are_installed: None) -> None:
    with pytest.raises(InputError, match="there is no animal 'fox'; it is one of cat, dog, bird"):
        ANIMALS.get("fox")
    with pytest.raises(InputError, match=r"animal 'bird' \(no_such_module:X\) cannot be imported"):
        ANIMALS.get("bird")


def test_sections_have_the_schema_of_their_kind(dogs_are_installed: None) -> None:
    zoo = Zoo.model_validate({"animals": [{"lives": 7}, {"kind": "dog", "bark_dB": 90.0}]})
    assert zoo.animals == [Cat(lives=7), Dog(bark_dB=90.0)]
    assert zoo.model_dump()["animals"][1] == {"kind": "dog", "bark_dB": 90.0}
    assert Zoo.model_validate(zoo.model_dump()) == zoo


def test_errors_name_the_keys_of_the_kind(dogs_are_installed: None) -> None:
    assert refusal({"animals": [{}, {"kind": "dog", "tail": 1}]}) == (
        "`tail` in `animals[1]` is not a known key; known keys are kind, bark_dB"
    )
    assert refusal({"animals": [{"lifes": 1}]}) == (
        "`lifes` in `animals[0]` is not a known key; did you mean `lives`?"
    )
    assert refusal({"animals": [{"lives": "many"}]}).startswith("`animals[0].lives` is 'many', but it must")
    assert "there is no animal 'fox'" in refusal({"animals": [{"kind": "fox"}]})
    assert refusal({"animals": [3]}).startswith("`animals[0]` is 3")


def test_a_constructor_refuses_in_one_sentence() -> None:
    with pytest.raises(InputError, match="`lives` is 'many', but it must be an integer"):
        Cat(lives="many")
    with pytest.raises(InputError, match="`tail` is not a known key"):
        Cat(tail=1)
