"""Levels of theory have names, and only those that are known."""

from __future__ import annotations

import hashlib
from pathlib import Path

from alflow.results.levels import level_references, level_rows, named_level
from qm_interfaces.orbital_free import OrbitalFreeInterface


def test_built_in_pseudopotentials_have_names_and_references() -> None:
    level = OrbitalFreeInterface().level_of_theory()
    rows = dict(level_rows(level, {}, ["Li", "Si"]))
    assert rows["pseudopotentials"] == "Li: evanescent-core"
    assert (rows["code"], rows["kinetic-energy functional"], rows["grid spacing"]) == (
        "DFTpy",
        "Wang–Teter",
        "0.36 Å",
    )
    assert level_references(level, {}) == ["Shao2021", "Wang1992", "Fiolhais1995"]


def test_the_functional_comes_from_the_file_that_was_used(tmp_path: Path) -> None:
    file = tmp_path / "Si.pz-vbc.UPF"
    file.write_text('<UPF version="2.0.1"><PP_HEADER functional="PBE" /></UPF>')
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    level = {"code": "quantum-espresso", "pseudopotentials": {"Si": checksum}}
    options = {"pseudopotentials": {"Si": str(file)}}
    named = named_level(level, options)
    assert named["pseudopotentials"] == {"Si": "Si.pz-vbc.UPF"}
    assert named["functional"] == "PBE"
    assert "Perdew1996" in level_references(level, options)
    file.write_text('<UPF version="2.0.1"><PP_HEADER functional="LDA" /></UPF>')
    assert "functional" not in named_level(level, options)  # another file than the one that was used


def test_an_unknown_pseudopotential_keeps_its_checksum() -> None:
    level = {"code": "quantum-espresso", "pseudopotentials": {"Si": "0123456789abcdef"}}
    assert dict(level_rows(level, {}, ["Li", "Si"]))["pseudopotentials"] == "Si: sha256 0123456789abcdef"
