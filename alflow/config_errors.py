"""YAML and schema errors, each said in one sentence."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from alflow.errors import InputError


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-3 as a number (YAML 1.2) and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", node.value[position][0].start_mark
                )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def load_yaml(path: Path) -> object:
    """Read a YAML file.

    Raises
    ------
    InputError
        If the file is missing, is no text, is empty or is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; give the path of a campaign file (YAML)") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a text file ({error})") from None
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise InputError(f"{path}: {where}{error.problem}, which is not valid YAML here") from None
    except (yaml.YAMLError, TypeError) as error:
        raise InputError(f"{path}: is not valid YAML ({str(error).splitlines()[0]})") from None
    if data is None:
        raise InputError(f"{path}: is empty; a campaign file has keys such as `name` and `species`")
    return data


def sentence(error: ValidationError, model: type[BaseModel]) -> str:
    """The first of a validation's errors as one sentence: field, value, what would be right."""
    details = min(error.errors(), key=_rank)
    field = _dotted(details["loc"])
    kind, value = details["type"], details["input"]
    if kind == "extra_forbidden":
        return _unknown_key(details, model)
    if kind == "value_error" and isinstance(value, BaseModel | dict):
        return _in_section(field, str(details["ctx"]["error"]))
    about = _description(details["loc"], model)
    if kind == "missing":
        return f"`{field}` is missing{about}"
    if kind == "value_error":
        return f"`{field}` is {value!r}, but {details['ctx']['error']}{about}"
    rule = re.sub("dictionary or instance of .*", "set of keys", details["msg"])
    rule = rule.replace("Input should be", "it must be").replace("a valid", "a")
    return f"`{field}` is {value!r:.80}, but {rule[0].lower()}{rule[1:]}{about}"


def _rank(details: ErrorDetails) -> tuple[int, int]:
    """Unknown keys first: they explain missing ones. Of a union, the branch that says most of the value."""
    order = {"extra_forbidden": 0, "missing": 2}
    wrong_branch = details["type"].endswith("_type")
    return (order.get(details["type"], 1), int(wrong_branch))


def _in_section(field: str, message: str) -> str:
    return f"`{field}`: {message}" if field else message


_UNION_BRANCH = re.compile(r"(constrained-)?(str|int|float|list)\b")  # pydantic names the branch it tried


def _dotted(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not _UNION_BRANCH.match(part):
            text += f".{part}" if text else part
    return text


def _models_along(location: tuple[int | str, ...], model: type[BaseModel]) -> list[type[BaseModel]]:
    """The schema classes on the way to a location, outermost first."""
    models = [model]
    for part in location:
        field = models[-1].model_fields.get(part) if isinstance(part, str) else None
        if field is not None:
            found = _model_in(field.annotation)
            if found is not None:
                models.append(found)
    return models


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_in, get_args(annotation)) if m is not None), None)


def _description(location: tuple[int | str, ...], model: type[BaseModel]) -> str:
    owners = _models_along(location, model)
    for owner in reversed(owners):
        for part in reversed(location):
            if isinstance(part, str) and part in owner.model_fields:
                text = owner.model_fields[part].description
                return f" ({text})" if text else ""
    return ""


def _unknown_key(details: ErrorDetails, model: type[BaseModel]) -> str:
    *parents, key = details["loc"]
    owner = _models_along(tuple(parents), model)[-1]
    known = list(owner.model_fields)
    close = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
    hint = f"did you mean `{close[0]}`?" if close else f"known keys are {', '.join(known)}"
    where = f" in `{_dotted(tuple(parents))}`" if parents else ""
    return f"`{key}`{where} is not a known key; {hint}"
