"""Read a campaign file of either kind: molecular dynamics, or the screening of candidate crystals."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from alflow.config import Campaign
from alflow.config_errors import load_yaml, sentence
from alflow.config_screening import Screening
from alflow.errors import InputError

AnyCampaign = Campaign | Screening


def parse_campaign(data: object, source: str = "campaign") -> AnyCampaign:
    """Check plain data (as from YAML or the store) against the schema; `candidates` make it a screening.

    Raises
    ------
    InputError
        One sentence on the first thing that is wrong.
    """
    if not isinstance(data, dict):
        raise InputError(
            f"{source}: a campaign file is a set of keys such as `name` and `species`, not {data!r:.60}"
        )
    schema = Screening if "candidates" in data or "stages" in data else Campaign
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{source}: {sentence(error, schema)}") from None


def load_campaign(path: str | Path) -> AnyCampaign:
    """Read a campaign file; relative paths in it are resolved against its folder.

    Raises
    ------
    InputError
        One sentence that names the file, the key, the value and what would be right.
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
