"""The methods section of a paper, from facts about a campaign only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from alflow.results.references import REFERENCES, Reference

CITED = re.compile(r"\[((?:[A-Z][A-Za-z]+\d{4})(?:, ?[A-Z][A-Za-z]+\d{4})*)\]")


@dataclass(frozen=True)
class Methods:
    """A paragraph with numbered citations.

    Attributes
    ----------
    text
    references
        In the order of their numbers, which begin at 1.
    """

    text: str
    references: Sequence[Reference]

    @classmethod
    def of(cls, sentences: Sequence[str]) -> Methods:
        """Join sentences that cite works by their keys, such as ``[Shapeev2016]``."""
        text = " ".join(sentence for sentence in sentences if sentence)
        keys = list(
            dict.fromkeys(key for group in CITED.findall(text) for key in group.replace(" ", "").split(","))
        )
        numbers = {key: str(number) for number, key in enumerate(keys, start=1)}

        def numbered(match: re.Match[str]) -> str:
            return "[" + ", ".join(numbers[key] for key in match[1].replace(" ", "").split(",")) + "]"

        return cls(CITED.sub(numbered, text), [REFERENCES[key] for key in keys])

    @property
    def bibtex(self) -> str:
        """All references as a BibTeX file."""
        return "\n\n".join(reference.bibtex for reference in self.references) + "\n"
