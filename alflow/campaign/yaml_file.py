"""YAML files, read strictly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

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
        If the file does not exist, is not a text file, is empty or is not valid YAML.
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
