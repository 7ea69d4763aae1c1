"""Read a campaign file of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from alflow.campaign.kinds import DEFAULT_KIND, KINDS, CampaignSettings
from alflow.campaign.yaml_file import load_yaml
from alflow.errors import InputError
from alflow.sentences import sentence


def parse_campaign(data: object, source: str = "campaign") -> CampaignSettings:
    """Check plain data (as from YAML or the store) against the schema of its kind.

    Raises
    ------
    InputError
        If the data do not match the schema: one sentence on the first error.
    """
    if not isinstance(data, dict):
        raise InputError(
            f"{source}: a campaign file is a set of keys such as `name` and `species`, not {data!r:.60}"
        )
    kind = data.get("kind", _kind_of_old_file(data))
    if not isinstance(kind, str) or kind not in KINDS.names():
        raise InputError(f"{source}: `kind` is {kind!r}, but it must be one of {', '.join(KINDS.names())}")
    schema = KINDS.get(kind).Settings
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{source}: {sentence(error, schema, data)}") from None


def load_campaign(path: str | Path) -> CampaignSettings:
    """Read a campaign file; relative paths in it are resolved against its folder.

    Raises
    ------
    InputError
        If the file is wrong: one sentence that names the file, the key, the value and a correct value.
    """
    path = Path(path)
    campaign = parse_campaign(load_yaml(path), str(path))
    folder = path.resolve().parent
    resolved = campaign.resolved(folder)
    for field, file in resolved.files():
        if not Path(file).exists():
            raise InputError(
                f"{path}: {field} names {file}, which does not exist; give a path relative to {folder}"
            )
    return resolved


def _kind_of_old_file(data: Mapping[str, Any]) -> str:
    """Find the kind of a file without `kind` by its keys, as in files of earlier releases."""
    for name in KINDS.names():
        if name != DEFAULT_KIND and KINDS.get(name).old_keys & data.keys():
            return name
    return DEFAULT_KIND
