"""Write docs/campaign_file.md and docs/screening_file.md from the schemas of the campaign files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from alflow.campaign.sections import Campaign
from workflows.hull_screening.schema import Screening

HERE = Path(__file__).resolve().parent
BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "multiple of"}


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The schema class inside an annotation, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(section_of, get_args(annotation)) if found), None)


def bounds(field: FieldInfo) -> str:
    """The bounds of a field, its own or those of its type."""
    constraints = list(field.metadata)
    for argument in get_args(field.annotation):
        if hasattr(argument, "__metadata__"):
            constraints += [c for info in argument.__metadata__ for c in getattr(info, "metadata", [info])]
    found = [
        f"{sign} {getattr(c, name)}" for c in constraints for name, sign in BOUNDS.items() if hasattr(c, name)
    ]
    return ", ".join(dict.fromkeys(found))


def default(field: FieldInfo) -> str:
    """The default as it would stand in the file."""
    if field.default is PydanticUndefined:
        return "**required**"
    if isinstance(field.default, BaseModel):
        return "see below"
    return f"`{yaml.safe_dump(field.default, default_flow_style=True).removesuffix('...' + chr(10)).strip()}`"


def tables(model: type[BaseModel], path: str) -> list[str]:
    """The table of a section, then those of the sections in it."""
    lines = ["", f"## {f'`{path}`' if path else 'Top level'}", "", (model.__doc__ or "").strip(), ""]
    lines += ["| key | default | bounds | meaning |", "|---|---|---|---|"]
    inner: list[str] = []
    for name, field in model.model_fields.items():
        lines.append(f"| `{name}` | {default(field)} | {bounds(field)} | {field.description} |")
        section = section_of(field.annotation)
        if section is not None:
            many = "[]" if str(field.annotation).startswith("list") else ""
            inner += tables(section, f"{path}.{name}{many}" if path else f"{name}{many}")
    return lines + inner


def page(title: str, example: str, model: type[BaseModel]) -> str:
    """A file of documentation: an example, then every key."""
    lines = [
        f"# {title}",
        "",
        "Made from the schema by `python docs/make_campaign_file.py`; do not edit.",
        "",
        "Unknown keys are errors, paths are relative to the file, and units are part of the names.",
        "",
        "```yaml",
        (HERE.parent / "examples" / example).read_text().strip(),
        "```",
        *tables(model, ""),
    ]
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """The files with their text."""
    return {
        HERE / "campaign_file.md": page("The campaign file", "cu_emt.yaml", Campaign),
        HERE / "screening_file.md": page("The campaign file of a screening", "cu_pd_hull.yaml", Screening),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
