"""Pages of the API reference, made while the site is built: one per package, with all public modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("alflow", "qm_interfaces", "workflows")
COMMANDS = ROOT / "alflow" / "cli"  # used from the shell, and described by --help


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages to the site, so that a new module is documented as soon as it exists."""
    for package in packages():
        text = page(package)
        files.append(File.generated(config, f"api/{package}.md", content=text))
    return files


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages in the navigation, below the entry "API reference"."""
    entry: Any = next(entry for entry in config.nav or [] if "API reference" in entry)
    entry["API reference"] += [{package: f"api/{package}.md"} for package in packages()]
    return config


def packages() -> list[str]:
    """Dotted names of all packages that have a documented module."""
    found = {file.parent for name in PACKAGES for file in (ROOT / name).rglob("__init__.py")}
    return [dotted(folder) for folder in sorted(found - {COMMANDS}) if any(modules(folder))]


def page(package: str) -> str:
    """A page: what the package is, then its modules in order of their names."""
    folder = ROOT.joinpath(*package.split("."))
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    return "\n\n".join([f"# {package}", said, *(f"::: {dotted(file)}" for file in modules(folder))])


def modules(folder: Path) -> Iterator[Path]:
    """The public modules of a folder."""
    return (file for file in sorted(folder.glob("*.py")) if not file.name.startswith("_"))


def dotted(path: Path) -> str:
    """alflow.hull.retention of .../alflow/hull/retention.py."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)
