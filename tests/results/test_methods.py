"""Citations are numbered in their order, and every reference can be used."""

from __future__ import annotations

import re

from alflow.results.levels import BUILT_IN, CODES, DETAILS
from alflow.results.methods import Methods
from alflow.results.references import REFERENCES


def test_citations_are_numbered_in_their_order() -> None:
    found = Methods.of(["One [Shapeev2016].", "", "Two [Goreinov2010, Shapeev2016], not [1.2] or [Cu]."])
    assert found.text == "One [1]. Two [2, 1], not [1.2] or [Cu]."
    assert [reference.key for reference in found.references] == ["Shapeev2016", "Goreinov2010"]
    assert found.bibtex.count("@article{") == 2
    assert "  doi = {10.1137/15M1054183}," in found.bibtex


def test_references_are_whole() -> None:
    cited = {key for code in CODES.values() for key in code.cites}
    assert cited | {key for _, key in DETAILS.values()} | set(BUILT_IN.values()) <= REFERENCES.keys()
    for reference in REFERENCES.values():
        assert re.fullmatch(r"10\.\d{4,}/\S+", reference.doi)
        assert reference.key.endswith(str(reference.year))
        assert reference.bibtex.count("{") == reference.bibtex.count("}")
