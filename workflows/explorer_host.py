"""The host of an explorer's run: the connection to the store while it runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.simulation.candidate_frames import CandidateFrames
from alflow.simulation.settings import GradeControl
from alflow.states import CampaignState
from alflow.store import Store

SHOWN_EVERY_S = 1.0
ASKED_EVERY_S = 5.0


class StoreHost:
    """Stores the candidates and the progress of a claimed run.

    Parameters
    ----------
    run
        The document of the claimed run.
    round_
        The round of the claim.
    version
        Version of the potential that the run uses.
    """

    def __init__(
        self, store: Store, run: dict[str, Any], round_: int, *, control: GradeControl, version: int
    ) -> None:
        self.control = control
        self.version = version
        self.pass_number: int = run["passes"]
        self.frames = CandidateFrames(control.max_saved)
        self._store = store
        self._run = run
        self._round = round_
        self._shown = self._asked = time.monotonic()
        self._is_over = False

    def save_frame(self, atoms: Atoms, extrapolation_grade: float, step: int) -> None:
        """Save a frame as a candidate for a label."""
        self.frames.offer(atoms, step, extrapolation_grade)

    def save_progress(
        self, checkpoint: Mapping[str, Any], *, step: int, history: Mapping[str, NDArray[np.generic]]
    ) -> None:
        """Store checkpoint, frames and history."""
        self._store.explorers.save_progress(
            self._run,
            self._round,
            checkpoint=checkpoint,
            step=step,
            candidates=self.frames.all(),
            history=history,
        )

    def show_progress(self, step: int) -> None:
        """Store the progress for display, at most once per second."""
        if time.monotonic() - self._shown > SHOWN_EVERY_S:
            self._shown = time.monotonic()
            self._store.explorers.report_step(self._run, step)

    def stop_requested(self) -> bool:
        """Whether the campaign has ended meanwhile."""
        if time.monotonic() - self._asked > ASKED_EVERY_S:
            self._asked = time.monotonic()
            state = self._store.campaigns.get(self._run["campaign"])["state"]
            self._is_over = state != CampaignState.RUNNING
        return self._is_over
