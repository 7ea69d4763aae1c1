"""Frames drawn at random steps of explorers' runs, to measure the error of a potential.

A step is drawn by a number between 0 and 1 that depends on campaign, run, pass, step and seed alone, so that
no worker, interruption or repetition changes the sample. Runs have equal shares of the frames. Within a run,
the probability falls with the square root of the step: a fraction x of the run gets √x of the run's frames,
because a long run that has only begun needs some as well. The weights of the frames make up for it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from pydantic import Field

from alflow.settings import Section

UNKNOWN_LENGTH = 200
"""Steps that a run of unknown length is taken to have."""
SPARE = 3.0
"""Frames that are kept for each frame that is to be labelled: some near-duplicates are left out, and a
user may raise `labels` later."""


class Validation(Section):
    """Frames at random steps of the runs, labelled to measure the potential's error and never trained on.

    The labels are spread over the planned length of the runs. They count towards `stop.max_labels`.
    """

    labels: int = Field(
        default=0, ge=0, le=10_000, description="validation labels of the whole campaign; 0: no validation"
    )
    seed: int = Field(default=0, ge=0, le=10**15, description="seed of the random steps")


@dataclass(frozen=True)
class RandomFrames:
    """The random steps of one pass of a run.

    Attributes
    ----------
    identity
        Campaign, run, pass and seed as a text: runs that differ in it have other random steps.
    share
        Labels that the pass gets when it is complete; not necessarily a whole number.
    length
        Steps of the pass.
    """

    identity: str
    share: float
    length: int

    @classmethod
    def of_run(
        cls, settings: Validation, campaign: str, runs: int, index: int, passes: int, length: int | None
    ) -> RandomFrames:
        """The random steps of pass `passes` of run `index` of a campaign with `runs` runs."""
        identity = f"{campaign}\0{index}\0{passes}\0{settings.seed}"
        return cls(identity, settings.labels / max(runs, 1), length or UNKNOWN_LENGTH)

    def probability(self, step: int) -> float:
        """Probability with which a step is drawn."""
        return min(1.0, self.share / (2.0 * math.sqrt((step + 0.5) * self.length)))

    def expected(self, step: int) -> float:
        """Number of frames that are due once the run has completed this step."""
        return self.share * math.sqrt(step / self.length)

    def rank(self, step: int) -> float:
        """Random number of a step divided by its probability: the lowest ranks are drawn first.

        (Sequential Poisson sampling: Ohlsson, J. Official Statistics 14, 149, 1998.)
        """
        probability = self.probability(step)
        return self._number(step) / probability if probability else math.inf

    def is_kept(self, step: int) -> bool:
        """Whether a frame is kept, so that it can be drawn."""
        return self.rank(step) < SPARE

    def _number(self, step: int) -> float:
        digest = hashlib.blake2b(f"{self.identity}\0{step}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") / 2.0**64
