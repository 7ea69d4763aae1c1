"""`alflow trajectory`: write what a run of an explorer has passed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alflow.cli.database_options import CampaignArgument, LaunchpadOption, UriOption, connected
from alflow.cli.output import JsonOption, check_writable, print_json, print_note
from alflow.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms


def trajectory(
    campaign: CampaignArgument,
    explorer: Annotated[str, typer.Argument(help="Run, or explorer with one run.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write: .extxyz, .traj, or another format of ASE."),
    ],
    pass_number: Annotated[
        int | None,
        typer.Option("--pass", min=0, help="Pass of the run, from 0; default: the last.", show_default=False),
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Take every n-th of the kept frames.")] = 1,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Write the trajectory of a finished or running explorer, which `trajectory_every_ps` keeps.

    Frames have time_ps, step, pass, extrapolation_grade, energy_eV (of the potential) and temperature_K in
    their info, and momenta if `trajectory_velocities` is set.

    Example: alflow trajectory examples/cu_emt.yaml md -o run.extxyz
    """
    from alflow.results.trajectories import read_trajectory

    check_writable(output)
    with connected(campaign, uri, launchpad) as connection:
        found = read_trajectory(connection.store, connection.campaign, explorer, pass_number=pass_number)
        count, last = _write(output, islice(found.frames, 0, None, every))
    facts = {
        "written": output,
        "run": found.run,
        "pass": found.pass_number,
        "passes": found.passes,
        "frames": count,
        "atoms": len(last),
        "step": last.info["step"],
        "time_ps": last.info.get("time_ps"),
    }
    if json:
        print_json(facts)
        return
    end = f"{last.info['time_ps']:g} ps" if "time_ps" in last.info else f"step {last.info['step']}"
    print_note(f"{output}: {count} frames of {found.run} up to {end}")
    if len(found.passes) > 1:
        print_note(f"these are of pass {found.pass_number}; --pass takes {', '.join(map(str, found.passes))}")


def _write(path: Path, frames: Iterator[Atoms]) -> tuple[int, Atoms]:
    """Write beside the file, then rename; return the number of frames and the last one.

    Extended XYZ and ASE's .traj are written frame by frame; other formats hold all frames in memory.
    """
    import ase.io
    from ase.io.extxyz import write_extxyz
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats, open_with_compression

    try:
        name = filetype(path.name, read=False)
    except UnknownFileTypeError:
        name = ""
    if name not in ioformats or not ioformats[name].can_write:
        raise InputError(f"{path}: ASE writes no format of this name; use .extxyz or .traj")
    counted = _Counted(frames)
    part = path.with_name(f".part.{path.name}")
    try:
        if name == "extxyz":
            with open_with_compression(str(part), "wt") as file:
                for frame in counted:
                    write_extxyz(file, [frame])
        elif name == "traj":
            with ase.io.Trajectory(part, "w") as file:
                for frame in counted:
                    file.write(frame)
        else:
            try:
                ase.io.write(part, list(counted), format=name)
            except (ValueError, TypeError, KeyError, AssertionError, NotImplementedError, OSError) as error:
                raise InputError(
                    f"{path}: cannot be written as {name} ({error or type(error).__name__}); use .extxyz"
                ) from None
        if counted.last is None:
            raise InputError("no frame has been reached yet")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return counted.count, counted.last


class _Counted:
    """The frames of an iterator, with their number and the last one so far."""

    def __init__(self, frames: Iterator[Atoms]) -> None:
        self._frames = frames
        self.count = 0
        self.last: Atoms | None = None

    def __iter__(self) -> Iterator[Atoms]:
        for frame in self._frames:
            self.count += 1
            self.last = frame
            yield frame
