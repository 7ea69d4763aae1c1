"""Progress for logs: lines with timestamps on stderr, where there is no terminal that redraws."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from alflow.cli.output import print_note

if TYPE_CHECKING:
    from alflow.results import Overview

LINE_EVERY_S = 10.0


def on_terminal() -> bool:
    """Whether stderr is a terminal."""
    from rich.console import Console

    return Console(stderr=True).is_terminal


def stamped(text: str) -> str:
    """The text after the local time."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}"


class ProgressLines:
    """Prints one line per event, and changes between events at most every few seconds.

    Parameters
    ----------
    clock
        Function that returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.event: Any = self  # unlike every event
        self.said = self.newest = ""
        self.last_s = -LINE_EVERY_S

    def __call__(self, text: str, event: object = None) -> None:
        """Print the text, unless it comes soon after the last line of the same event or repeats it."""
        self.newest = text
        if text != self.said and (event != self.event or self.clock() - self.last_s >= LINE_EVERY_S):
            self.event = event
            self.finish()

    def finish(self) -> None:
        """Print the newest text if it has not been printed."""
        if self.newest != self.said:
            print_note(stamped(self.newest))
            self.said, self.last_s = self.newest, self.clock()


def campaign_line(facts: Overview) -> str:
    """The state of a campaign in one line."""
    parts = [facts.subtitle, str(facts.state), facts.situation, facts.label_counts, facts.errors]
    return "; ".join(" ".join(part.split()) for part in parts if part)
