"""Trajectories of the runs of explorers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ase import Atoms

from alflow.errors import InputError
from alflow.explorers import EXPLORERS
from alflow.store import Store

SHOWN = 8  # names of runs in a sentence


@dataclass(frozen=True)
class RunTrajectory:
    """The kept frames of one pass of a run.

    Attributes
    ----------
    run
        Name of the run.
    index
        Number of the run in the campaign.
    pass_number
        The pass, counted from 0.
    passes
        All passes of which frames were kept.
    every
        Steps between frames now; frames that were kept before the campaign file changed may differ.
    frames
        Frames in the order of steps, read one part at a time. ``info`` has explorer, pass, step, time_ps (if
        the run counts time), extrapolation_grade, energy_eV and temperature_K, each if it is known.
    """

    run: str
    index: int
    pass_number: int
    passes: tuple[int, ...]
    every: int | None
    frames: Iterator[Atoms]


def read_trajectory(
    store: Store, campaign: str, name: str, *, pass_number: int | None = None
) -> RunTrajectory:
    """The trajectory of a run, given its name or that of an explorer with one run; by default its last pass.

    Raises
    ------
    InputError
        If there is no such run, its explorer has several, or no frames of the pass were kept.
    """
    run = _run(store, campaign, name)
    passes = store.explorers.trajectory_passes(campaign, run["index"])
    if not passes:
        kept = (
            "none has been reached yet"
            if run.get("trajectory")
            else "set `trajectory_every_ps` (md) or `trajectory_every` (script) of its explorer; frames are "
            "kept from then on"
        )
        raise InputError(f"run {run['name']!r} of campaign {campaign!r} has no frames: {kept}")
    number = passes[-1] if pass_number is None else pass_number
    if number not in passes:
        known = ", ".join(map(str, passes))
        raise InputError(f"run {run['name']!r} has no frames of pass {number}; it has those of {known}")
    return RunTrajectory(
        run=run["name"],
        index=run["index"],
        pass_number=number,
        passes=tuple(passes),
        every=(run.get("trajectory") or {}).get("every"),
        frames=_timed(store, campaign, run, number),
    )


def _run(store: Store, campaign: str, name: str) -> dict[str, Any]:
    runs = store.explorers.all(campaign)
    found = [run for run in runs if run["name"] == name] or [
        run for run in runs if run.get("explorer") == name
    ]
    if len(found) == 1:
        return found[0]
    names = [run["name"] for run in found or runs]
    listed = ", ".join(names[:SHOWN]) + (f", … ({len(names)} in all)" if len(names) > SHOWN else "")
    if found:
        raise InputError(f"explorer {name!r} has {len(found)} runs; name one of them: {listed}")
    raise InputError(f"campaign {campaign!r} has no explorer or run {name!r}; it has the runs {listed}")


def _timed(store: Store, campaign: str, run: dict[str, Any], number: int) -> Iterator[Atoms]:
    explorer = EXPLORERS.get(run["kind"])
    settings = explorer.RunSettings.model_validate(run["settings"])
    for frame in store.explorers.trajectory(campaign, run["index"], pass_number=number):
        progress, unit = explorer.progress(settings, frame.info["step"])
        if unit == "ps":
            frame.info["time_ps"] = progress
        if frame.info["extrapolation_grade"] != frame.info["extrapolation_grade"]:
            del frame.info["extrapolation_grade"]  # no grade was computed at this step
        yield frame
