"""The main job, judged: bcc lithium at 300 K learned on the fly, beside learning without active learning.

    python benchmarks/lithium.py calls        # QM calls against MD step, errors on later frames, sanity
    python benchmarks/lithium.py reference    # the same errors after labelling every 10th step instead
    python benchmarks/lithium.py gamma_save   # QM calls and errors against the threshold

All begin with the campaign `examples/li_300K.yaml`. Its final potential makes one trajectory of 40 ps from
the perfect crystal: every 10th step of the first 20 ps is labelled for the reference, and 100 frames of the
next 20 ps are labelled to check on. What was computed stays in a folder (--folder, default runs/lithium), so
that an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import iread
from ase.io.extxyz import write_extxyz

from alflow.campaign.file import load_campaign
from alflow.cli.database_options import campaign_folder, connected
from alflow.potentials import PotentialCalculator
from alflow.potentials.errors import Errors, evaluate_errors
from alflow.potentials.mtp import KIND
from alflow.potentials.protocol import Potential
from alflow.results import CampaignRecord, read_campaign
from alflow.results.stored_potentials import read_potential
from alflow.simulation import MDSettings, run_md
from alflow.simulation.trajectory import cut_trajectory
from alflow.structures.starting import starting_structures
from qm_interfaces import get_interface
from workflows.active_learning.schema import ActiveLearning
from workflows.tasks.explore import calculator

EXAMPLE = Path(__file__).parents[1] / "examples" / "li_300K.yaml"
NVT = MDSettings(temperature_K=300.0, steps=40_000)
LEARNED_STEPS = 20_000  # of a campaign, and of the trajectory that the reference labels
LABEL_EVERY = 10
CHECK_EVERY = 200
GAMMAS = (1.1, 2.1, 5.0, 11.0)
GAMMAS_AT_ONCE = (2.1, 5.0)  # at 11 both are the same; at 1.1 nearly every step is labelled
GAMMA_BREAK = 10.0


@dataclass(frozen=True)
class Finished:
    """A campaign that ran to its end: the last potential with its active set; all by number of labels."""

    config: ActiveLearning
    data: CampaignRecord
    calculator: PotentialCalculator
    potentials: dict[int, Potential]


def campaign(
    folder: Path, gamma_save: float = 2.1, seed: int = 0, *, at_once: bool = False, labels_per_round: int = 4
) -> Finished:
    """The shipped campaign with this threshold and seed; run unless it has been.

    `at_once`: it pauses above γ_save instead of above 10, so that such frames are labelled when they are met.
    """
    settings = yaml.safe_load(EXAMPLE.read_text())
    settings["name"] = f"li-gamma-{gamma_save:g}{'-at-once' if at_once else ''}-seed-{seed}"
    gamma_break = gamma_save if at_once else max(GAMMA_BREAK, gamma_save)
    settings["selection"] |= {
        "gamma_save": gamma_save,
        "gamma_break": gamma_break,
        "labels_per_round": labels_per_round,
    }
    if labels_per_round != 4:
        settings["name"] += f"-labels-{labels_per_round}"
    if at_once:
        settings["stop"]["max_rounds"] = 1000
    settings["explorers"][0]["seed"] = settings["initial"]["seed"] = seed
    file = folder / f"{settings['name']}.yaml"
    file.write_text(yaml.safe_dump(settings))
    if not (campaign_folder(file) / "report.html").exists():
        command = [sys.executable, "-c", "from alflow.cli import main; main()", "run", str(file), "--json"]
        subprocess.run([*command, "--workers", str(threads())], check=True, stdout=subprocess.DEVNULL)
    with connected(str(file), None, None) as connection:
        store, config = connection.store, load_campaign(file)
        data = read_campaign(store, config.name, "active learning")
        potentials = {
            version["label_count"]: read_potential(store, config.name, version["version"])
            for version in store.potentials.history(config.name)
        }
        return Finished(config, data, calculator(store, config), potentials)


def trajectory(folder: Path) -> list[Atoms]:
    """Every 10th frame of 40 ps with the final potential of the shipped campaign, the start left out."""
    path = folder / "trajectory.extxyz"
    if not path.exists():
        shipped = campaign(folder)
        unfinished = path.with_name("unfinished.extxyz")
        run_md(
            starting_structures(shipped.config.structures, shipped.config.species)["bcc"],
            shipped.calculator,
            NVT,
            trajectory=unfinished,
            trajectory_interval=LABEL_EVERY,
        )
        unfinished.rename(path)
    return list(iread(path, "1:"))


def label(frames: Sequence[Atoms], path: Path, options: dict[str, Any]) -> list[Atoms]:
    """Labelled copies of the frames; each is written at once, and what the file holds is not done again."""
    path.touch()
    cut_trajectory(path, sys.maxsize)  # what was killed may have left half a frame
    done = {atoms.info["step"]: atoms for atoms in iread(path, ":")} if path.stat().st_size else {}
    interface = get_interface("orbital-free", **options)
    with tempfile.TemporaryDirectory() as scratch, path.open("a") as file:
        for frame in frames:
            if (step := frame.info["step"]) in done:
                continue
            atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc, info={"step": step})
            result = interface.compute(atoms, Path(scratch))
            atoms.calc = SinglePointCalculator(
                atoms, energy=result.energy_eV, forces=result.forces_eV_A, stress=result.stress_eV_A3
            )
            write_extxyz(file, [atoms])
            file.flush()
            done[step] = atoms
    return [done[frame.info["step"]] for frame in frames]


def check_frames(folder: Path) -> list[Atoms]:
    """100 labelled frames, 0.2 ps apart, of the 20 ps after those that a campaign learns from."""
    later = [f for f in trajectory(folder) if f.info["step"] > LEARNED_STEPS]
    chosen = [f for f in later if f.info["step"] % CHECK_EVERY == 0]
    return label(chosen, folder / "check.extxyz", campaign(folder).config.qm.options)


def reference_frames(folder: Path, count: int) -> list[Atoms]:
    """So many labelled frames of the first 20 ps: every 160th step, then those between, to every 10th."""
    first = [f for f in trajectory(folder) if f.info["step"] <= LEARNED_STEPS]
    coarse_first = sorted(first, key=lambda f: (-math.gcd(f.info["step"], 160), f.info["step"]))
    chosen = sorted(coarse_first[:count], key=lambda f: f.info["step"])
    return label(chosen, folder / "reference.extxyz", campaign(folder).config.qm.options)


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def fit_to(frames: Sequence[Atoms], config: ActiveLearning, start: Potential | None) -> Potential:
    """A potential of the campaign's form, fitted and refitted as the campaign does."""
    return KIND.fit(
        frames,
        species=config.species,
        form=config.potential,
        settings=config.fit,
        start=start,
        threads=threads(),
    ).potential


def steps_of_calls(data: CampaignRecord) -> list[int]:
    """The MD step at which each QM call was made, failed ones too; the displaced crystals count as step 0."""
    return sorted(label.step or 0 for label in data.labels)


def errors_row(e: Errors) -> str:
    """Cells of a table: energy MAE, RMSE (meV/atom), force MAE, RMSE, largest (meV/Å)."""
    energies = f"{1e3 * e.energy_mae_eV_per_atom:.3f} | {1e3 * e.energy_rmse_eV_per_atom:.3f}"
    forces = f"{1e3 * e.force_mae_eV_A:.2f} | {1e3 * e.force_rmse_eV_A:.2f} | {1e3 * e.force_max_eV_A:.0f}"
    return f"{energies} | {forces}"


ERRORS_HEAD = "energy MAE | RMSE (meV/atom) | force MAE | RMSE | largest (meV/Å)"


def errors_of(run: Finished, frames: Sequence[Atoms]) -> Errors:
    """Of the final potential of a campaign."""
    return evaluate_errors(run.calculator.potential, frames, threads=threads())


def table(head: str, rows: Sequence[str]) -> None:
    """Print a Markdown table."""
    print(f"\n| {head} |\n|{'---|' * (head.count('|') + 1)}")
    for row in rows:
        print(f"| {row} |", flush=True)


def show_sanity(folder: Path, shipped: Finished) -> None:
    """Temperature, potential energy and grade along the trajectory; energy drift without thermostat."""
    frames = trajectory(folder)
    rows = []
    for first_ps in (0, 5, 10, 20, 30):
        last_ps = first_ps + (10 if first_ps >= 10 else 5)
        part = [f for f in frames if 1000 * first_ps < f.info["step"] <= 1000 * last_ps]
        kelvin = np.array([frame.get_temperature() for frame in part])
        energy = np.array([frame.get_potential_energy() / len(frame) for frame in part])
        grade = max(frame.info["extrapolation_grade"] for frame in part)
        mean = f"{kelvin.mean():.0f} ± {kelvin.std():.0f} | {energy.mean():.5f}"
        rows.append(f"{first_ps}–{last_ps} | {mean} | {grade:.2f}")
    table("ps | temperature (K) | mean potential energy (eV/atom) | largest γ", rows)
    seen: list[tuple[float, float]] = []

    def note(step: int, info: dict[str, Any]) -> None:
        kinetic_eV = 1.5 * units.kB * info["temperature_K"]
        seen.append((step / 1000, 1e3 * (info["energy_eV"] / len(frames[-1]) + kinetic_eV)))

    nve = replace(NVT, ensemble="nve", steps=LEARNED_STEPS)
    run = run_md(frames[-1], shipped.calculator, nve, on_progress=note)
    time_ps, total_meV = np.array(seen).T
    slope = np.polyfit(time_ps, total_meV, 1)[0]
    print(
        f"\n20 ps without thermostat: {run.state}; total energy drifts by {1e3 * slope:.2g} µeV/atom/ps, "
        f"fluctuates by {1e3 * total_meV.std():.2g} µeV/atom"
    )


def show_calls(folder: Path) -> None:
    """QM calls against step, errors on the check frames, temperature, energy drift and grade."""
    shipped = campaign(folder)
    data = shipped.data
    steps = np.array(steps_of_calls(data))
    ends_ps = (1, 5, 10, 20)
    table(
        "QM calls at the start | " + " | ".join(f"by {end} ps" for end in ends_ps),
        [" | ".join(str(np.sum(steps <= 1000 * end)) for end in (0, *ends_ps))],
    )
    seconds = (data.ended - data.began).total_seconds() if data.ended else np.nan
    pauses = len(shipped.potentials) - 1
    print(f"\n{data.state}: {data.reason}; {data.rounds} rounds, {pauses} refits, {seconds:.0f} s")
    check = check_frames(folder)
    table(f"potential | {ERRORS_HEAD}", [f"final | {errors_row(errors_of(shipped, check))}"])
    forces = np.concatenate([frame.get_forces() for frame in check])
    energies = np.array([frame.get_potential_energy() / len(frame) for frame in check])
    print(f"\nthe check frames: forces {1e3 * forces.std():.0f} meV/Å RMS, energies ± ", end="")
    print(f"{1e3 * energies.std():.2f} meV/atom")
    show_sanity(folder, shipped)


def show_reference(folder: Path, count: int) -> None:
    """Errors on the check frames by number of labels, chosen by the loop or evenly spaced in time."""
    shipped = campaign(folder)
    check, labelled = check_frames(folder), reference_frames(folder, count)
    learned = {n: evaluate_errors(p, check, threads=threads()) for n, p in shipped.potentials.items()}
    spaced, potential = {}, None
    for count in sorted({4, 8, len(shipped.data.labels), 50, 200, len(labelled)}):
        evenly = [labelled[i] for i in np.linspace(0, len(labelled) - 1, count).round().astype(int)]
        began = time.monotonic()
        potential = fit_to(evenly, shipped.config, potential)
        spaced[count] = evaluate_errors(potential, check, threads=threads())
        print(f"fitted to {count} labels in {time.monotonic() - began:.0f} s", file=sys.stderr)
    rows = [f"active learning | {n} | {errors_row(e)}" for n, e in learned.items()]
    for name, more in (
        ("the same, γ_break = γ_save", campaign(folder, at_once=True)),
        ("the same, γ_save 1.1, 20 labels a round", campaign(folder, 1.1, labels_per_round=20)),
    ):
        rows.append(f"{name} | {len(more.data.labels)} | {errors_row(errors_of(more, check))}")
    rows += [f"evenly spaced steps | {n} | {errors_row(e)}" for n, e in spaced.items()]
    table(f"labels | QM calls | {ERRORS_HEAD}", rows)


def show_gamma_save(folder: Path, seeds: int) -> None:
    """QM calls and errors on the check frames for each threshold, pausing above 10 or above the threshold."""
    check = check_frames(folder)
    for at_once, gammas in ((False, GAMMAS), (True, GAMMAS_AT_ONCE)):
        rows = []
        for gamma_save in gammas:
            for seed in range(seeds):
                run = campaign(folder, gamma_save, seed, at_once=at_once)
                steps = np.array(steps_of_calls(run.data))
                counts = " | ".join(str(np.sum(steps <= 1000 * end)) for end in (1, 5, 20))
                row = errors_row(errors_of(run, check))
                rows.append(
                    f"{gamma_save:g} | {seed} | {run.data.state} | {run.data.rounds} | {counts} | {row}"
                )
        print("\npaused above " + ("γ_save, so that all such frames are labelled" if at_once else "10"))
        table(f"γ_save | seed | state | rounds | calls by 1 ps | 5 ps | 20 ps | {ERRORS_HEAD}", rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("calls", "reference", "gamma_save"))
    parser.add_argument("--folder", type=Path, default=Path("runs/lithium"))
    parser.add_argument("--labels", type=int, default=2000, help="of the reference; 500: every 40th step")
    parser.add_argument("--seeds", type=int, default=1, help="campaigns per threshold (gamma_save)")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.what == "calls":
        show_calls(folder)
    elif arguments.what == "reference":
        show_reference(folder, arguments.labels)
    else:
        show_gamma_save(folder, arguments.seeds)


if __name__ == "__main__":
    main()
