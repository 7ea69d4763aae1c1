"""The host of an explorer's run: the connection to the store while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.simulation.candidate_frames import CandidateFrames
from alflow.simulation.settings import GradeControl
from alflow.states import CampaignState
from alflow.store import Store
from alflow.store.visited import Purpose
from workflows.visited_frames import VisitedFrames

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
    sampled
        Function that decides, by the step alone, whether a configuration is kept as a sample.
    """

    def __init__(
        self,
        store: Store,
        run: dict[str, Any],
        round_: int,
        *,
        control: GradeControl,
        version: int,
        sampled: Callable[[int], bool] | None = None,
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
        trajectory = run.get("trajectory") or {"every": 0, "velocities": False}
        self._every: int = trajectory["every"]
        self._sampled = sampled
        self._first_step: int | None = None
        save = partial(store.explorers.save_frames, run)
        self._trajectory = VisitedFrames(
            partial(save, Purpose.TRAJECTORY), velocities=trajectory["velocities"]
        )
        self._samples = VisitedFrames(partial(save, Purpose.SAMPLES))

    def visit(self, atoms: Atoms, step: int, extrapolation_grade: float) -> None:
        """Keep the configuration if the trajectory or the samples want it."""
        if self._first_step is None:
            saved = self._run.get("saved_step")
            self._first_step = step if saved is None else min(step, saved)
        if self._every and step % self._every == 0:
            self._trajectory.add(atoms, step, extrapolation_grade)
        if self._sampled is not None and self._sampled(step):
            self._samples.add(atoms, step, extrapolation_grade)

    def save_frame(self, atoms: Atoms, extrapolation_grade: float, step: int) -> None:
        """Save a frame as a candidate for a label."""
        self.frames.offer(atoms, step, extrapolation_grade)

    def save_progress(
        self, checkpoint: Mapping[str, Any], *, step: int, history: Mapping[str, NDArray[np.generic]]
    ) -> None:
        """Store checkpoint, frames and history; the frames first, as they count once the checkpoint does."""
        self._trajectory.flush()
        self._samples.flush()
        self._store.explorers.save_progress(
            self._run,
            self._round,
            checkpoint=checkpoint,
            step=step,
            candidates=self.frames.all(),
            history=history,
            first_step=self._first_step,
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
