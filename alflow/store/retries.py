"""Attempts at a label, after failures of the code and after deaths of its workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_DEATHS = 5  # a label that kills its worker every time must not run for ever


@dataclass(frozen=True)
class Attempt:
    """One attempt at a label.

    Attributes
    ----------
    number
        Counts from 1.
    timeout_s
        Its time limit.
    is_last
        Whether the label fails if this attempt fails.
    """

    number: int
    timeout_s: float
    is_last: bool


@dataclass(frozen=True)
class Tries:
    """The attempts at a label so far.

    Attributes
    ----------
    failures
        Reason of each failed attempt that was followed by another.
    claims
        Number of times that a worker began to work on the label, including the present one.
    """

    failures: Sequence[str]
    claims: int

    @classmethod
    def of(cls, label: Mapping[str, Any]) -> Tries:
        """The attempts in a label's document, in which each claim and each failure began another attempt."""
        return cls(tuple(label["failures"]), label["attempts"] - len(label["failures"]))

    def next_attempt(self, retries: int, timeout_s: float) -> Attempt | None:
        """The attempt that follows, each with twice the time of the one before; None if none is left.

        Parameters
        ----------
        retries
            Attempts that may follow the first.
        timeout_s
            Time limit of the first attempt.
        """
        number = len(self.failures) + 1
        if number > retries + 1:
            return None
        return Attempt(number, timeout_s * 2 ** (number - 1), is_last=number == retries + 1)

    def after_failure(self, reason: str) -> Tries:
        """The same with one more failed attempt."""
        return Tries((*self.failures, reason), self.claims)

    @property
    def reason_to_give_up(self) -> str | None:
        """The reason to give the label up, in a sentence; None if workers may go on."""
        if self.claims <= MAX_DEATHS:
            return None
        return f"the worker died {MAX_DEATHS} times while it ran this label"


ANEW: Mapping[str, Any] = {"failures": [], "attempts": 0}
"""Fields of a label without attempts."""

ONE_MORE: Mapping[str, int] = {"attempts": 1}
"""Increments of a label's fields for a claim, and for a failure that another attempt follows."""
