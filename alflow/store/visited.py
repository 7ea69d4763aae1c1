"""Configurations that the runs of explorers have passed: trajectories, and samples of them.

Each claim of a run writes a segment: numbered parts, which are complete or absent. A segment begins at the
checkpoint of the one before it, and repeats what that one did after the checkpoint. Reading takes each step
once: what a later segment repeats, and what lies beyond the last checkpoint, is left out. So it makes no
difference when a worker was killed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import numpy as np
from ase import Atoms

from alflow.store.files import Files
from alflow.store.frames import pack_frames, unpack_frames

Document = Mapping[str, Any]


class Purpose(StrEnum):
    """Purpose of kept frames, and the kind of their files."""

    TRAJECTORY = "trajectory"
    SAMPLES = "samples"


def put_part(files: Files, run: Document, purpose: Purpose, part: int, frames: Sequence[Atoms]) -> None:
    """Store the next frames of a claimed run's segment."""
    where = {"campaign": run["campaign"], "explorer": run["index"]}
    files.put(
        f"{segment_stem(run)}.{purpose}-{part:06d}.npz",
        pack_frames(frames, run["name"]),
        kind=str(purpose),
        **where,
        segment=run["segment"],
        passes=run["passes"],
    )


def passes(files: Files, run: Document, purpose: Purpose) -> list[int]:
    """Passes of a run that have files of frames, in order."""
    return sorted({data["passes"] for _, data in _parts(files, run, purpose)})


def frames(files: Files, run: Document, purpose: Purpose, passes: int) -> Iterator[Atoms]:
    """Frames of one pass of a run in the order of steps, one part in memory at a time.

    ``info`` has explorer, step, extrapolation_grade and pass.
    """
    firsts = _first_steps(files, run, passes)
    end = _last_step(run, passes)
    done = -1
    for name, data in _parts(files, run, purpose):
        if data["passes"] != passes:
            continue
        segment = data["segment"]
        last = min([end, *(first for other, first in firsts.items() if other > segment)])
        for frame in unpack_frames(files.get(name)):
            if done < frame.info["step"] <= last:
                done = frame.info["step"]
                frame.info |= {"explorer": run["name"], "pass": passes}
                yield frame


def segment_stem(run: Document) -> str:
    """Beginning of the names of the files of a claimed run's segment."""
    return f"{folder(run)}/segment-{run['segment']:06d}"


def folder(run: Document) -> str:
    """Beginning of the names of all files of a run."""
    return f"{run['campaign']}/explorer-{run['index']}"


def _parts(files: Files, run: Document, purpose: Purpose) -> list[tuple[str, dict[str, Any]]]:
    """Names and metadata of the parts, in the order of segments and parts."""
    return files.listed(campaign=run["campaign"], explorer=run["index"], kind=str(purpose))


def _first_steps(files: Files, run: Document, passes: int) -> dict[int, int]:
    """The step at which each segment of a pass began, for those that saved progress."""
    histories = files.listed(campaign=run["campaign"], explorer=run["index"], kind="history", passes=passes)
    return {data["segment"]: data["first"] for _, data in histories if data.get("first") is not None}


def _last_step(run: Document, passes: int) -> int:
    """The last step that counts: that of the checkpoint; a pass that is over counts as a whole."""
    if passes < run["passes"]:
        return int(np.iinfo(np.int64).max)
    saved: int | None = run.get("saved_step")
    return -1 if saved is None else saved
