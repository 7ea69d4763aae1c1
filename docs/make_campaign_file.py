"""Write docs/campaign_file.md and docs/screening_file.md from the schemas of the campaign files."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from alflow.sentences import kinds_of, section_of
from workflows.active_learning.schema import ActiveLearning
from workflows.hull_screening.schema import Screening

HERE = Path(__file__).resolve().parent
BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "multiple of"}


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


def tables(
    model: type[BaseModel], path: str, kind: str = "", shown: dict[type[BaseModel], str] | None = None
) -> list[str]:
    """The table of a section, then those of the sections in it; of several kinds, one of each.

    A section that several others have is shown once.
    """
    shown = {} if shown is None else shown
    title = (f"`{path}`" if path else "Top level") + (f" of kind `{kind}`" if kind else "")
    shown[model] = title
    lines = ["", f"## {title}", "", (model.__doc__ or "").strip(), ""]
    lines += ["| key | default | bounds | meaning |", "|---|---|---|---|"]
    inner: list[str] = []
    for name, field in model.model_fields.items():
        key = field.alias or name
        lines.append(f"| `{key}` | {default(field)} | {bounds(field)} | {field.description} |")
        many = "[]" if str(field.annotation).startswith("list") else ""
        place = f"{path}.{key}{many}" if path else f"{key}{many}"
        by_kind = kinds_of(field)
        if by_kind is not None:
            for one, section in by_kind.schemas().items():
                inner += tables(section, place, one, shown)
        elif (section_type := section_of(field)) in shown:
            lines[-1] = f"{lines[-1].removesuffix(' |')}; see {shown[section_type]} |"
        elif section_type is not None:
            inner += tables(section_type, place, shown=shown)
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
        HERE / "campaign_file.md": page("The campaign file", "cu_emt.yaml", ActiveLearning),
        HERE / "screening_file.md": page("The campaign file of a screening", "cu_pd_hull.yaml", Screening),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
