"""How often a label is tried: after failures of the code, and after deaths of its workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_DEATHS = 5  # a label that takes its worker down every time must not do so for ever


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
        Whether the label has failed if this attempt fails.
    """

    number: int
    timeout_s: float
    is_last: bool


@dataclass(frozen=True)
class Tries:
    """What has been tried of a label so far.

    Attributes
    ----------
    failures
        Why each attempt failed that was followed by another.
    claims
        How often a worker has begun to work on the label, the present one included.
    """

    failures: Sequence[str]
    claims: int

    @classmethod
    def of(cls, label: Mapping[str, Any]) -> Tries:
        """Those of a label's document, in which each claim and each failure began another attempt."""
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
        """Why nobody should work on the label any more, in a sentence; None if somebody should."""
        if self.claims <= MAX_DEATHS:
            return None
        return f"the worker died {MAX_DEATHS} times while it ran this label"


ANEW: Mapping[str, Any] = {"failures": [], "attempts": 0}
"""Fields of a label of which nothing has been tried."""

ONE_MORE: Mapping[str, int] = {"attempts": 1}
"""What a claim, and a failure that another attempt follows, adds to the fields of a label."""
