"""`kill -9` at random moments while trajectories are written; the frames beside those of an undisturbed run.

    python benchmarks/killed_trajectories.py

Half of the kills take the command, its workers, their labels and the database at once, after which the same
command is given again; the other half takes one worker. At the end no frame may be missing or be there twice,
and positions, velocities, energies and grades of all frames, samples, validation labels and potentials must
be those of the undisturbed campaign, bit for bit.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import yaml
from ase import Atoms
from kill import kill_all

from alflow.cli.database_options import connected
from alflow.results.labelled_frames import labelled_frames
from alflow.states import LabelKind
from alflow.store.visited import Purpose

EXAMPLE = Path(__file__).parents[1] / "examples" / "cu_emt.yaml"
RUN = (sys.executable, "-c", "from alflow.cli import main; main()", "run")
STEPS, EVERY = 4000, 5
EXPLORER = {
    "name": "md",
    "structure": "fcc",
    "temperature_K": [300, 700, 1100],
    "replicas": 2,
    "timestep_fs": 2.0,
    "steps": STEPS,
    "trajectory_every_ps": 2e-3 * EVERY,
    "trajectory_velocities": True,
}
Facts = dict[str, Any]


def write_campaign(folder: Path, steps: int) -> Path:
    """The campaign file in an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    content["explorers"] = [EXPLORER | {"steps": steps}]
    content["validation"] = {"labels": 12}
    content["stop"] = {"max_rounds": 200, "quiet_rounds": 2}
    file = folder / "cu.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file


def start(file: Path) -> subprocess.Popen[bytes]:
    """Give the command."""
    return subprocess.Popen([*RUN, str(file), "--json", "-n", "2"], stdout=subprocess.DEVNULL)


def workers(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The worker processes of a command."""
    try:
        children = psutil.Process(process.pid).children()
        return [child for child in children if "workflows.local" in child.cmdline()]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def explorations(folder: Path) -> int:
    """How often a worker has begun or gone on with a run."""
    logs = (folder / "runs" / "cu" / "workers").glob("worker-*.log")
    return sum(
        log.read_text(errors="replace").count("Task started: {{workflows.tasks.explore") for log in logs
    )


def disturb(file: Path, chance: random.Random, within_s: float, most_s: float) -> tuple[Counter[str], float]:
    """Run a campaign to its end, and kill while runs go on, for so long; the kills, and the wall time.

    A kill comes at most `most_s` after a worker has begun or gone on with a run.
    """
    seen = 0
    kills: Counter[str] = Counter()
    began = time.monotonic()
    process = start(file)
    while process.poll() is None:
        if time.monotonic() - began > within_s:
            process.wait()
            break
        if (now := explorations(file.parent)) == seen:
            time.sleep(0.1)
            continue
        seen = now
        time.sleep(chance.uniform(0.5, most_s))
        if process.poll() is not None:
            break
        if chance.random() < 0.5:
            kill_all(process.pid, file.parent)
            process.wait()
            kills["everything"] += 1
            process = start(file)
        elif found := workers(process):
            chance.choice(found).kill()
            kills["one worker"] += 1
    if process.returncode:
        sys.exit(f"the campaign ended with exit code {process.returncode}")
    return kills, time.monotonic() - began


def bits(atoms: Atoms) -> tuple[Any, ...]:
    """All that is kept of a frame, as bits."""
    momenta = atoms.arrays["momenta"].tobytes() if atoms.has("momenta") else b""
    numbers = (repr(atoms.info.get(key)) for key in ("extrapolation_grade", "energy_eV", "temperature_K"))
    return (atoms.numbers.tobytes(), atoms.positions.tobytes(), momenta, atoms.cell.array.tobytes(), *numbers)


def read(file: Path) -> Facts:
    """What a finished campaign holds."""
    with connected(str(file), None, None) as connection:
        store, name = connection.store, connection.campaign
        runs = store.explorers.all(name)
        frames = [
            (run["name"], atoms.info["pass"], atoms.info["step"], bits(atoms))
            for run in runs
            for atoms in store.explorers.trajectory(name, run["index"])
        ]
        samples = [
            (atoms.info["explorer"], atoms.info["pass"], atoms.info["step"], bits(atoms))
            for atoms in store.explorers.samples(name)
        ]
        validation = [
            label
            for label in store.labels.find(name)
            if label["kind"] == LabelKind.VALIDATION and label.get("ended")
        ]
        labelled = [
            (
                atoms.info["label_round"],
                atoms.info["label_number"],
                atoms.positions.tobytes(),
                atoms.get_potential_energy(),
                atoms.get_forces().tobytes(),
            )
            for atoms in labelled_frames(store, name, validation)
        ]
        history = store.potentials.history(name)
        files, kind = store.explorers.files, str(Purpose.TRAJECTORY)
        parts = sum(len(files.listed(campaign=name, explorer=run["index"], kind=kind)) for run in runs)
        return {
            "state": store.campaigns.get(name)["state"],
            "frames": frames,
            "samples": samples,
            "validation": labelled,
            "potentials": [store.potentials.content(name, version["version"]) for version in history],
            "passes": {run["name"]: store.explorers.trajectory_passes(name, run["index"]) for run in runs},
            "segments": sum(run["segment"] for run in runs),
            "parts": parts,
        }


def faults(facts: Facts, steps: int) -> tuple[int, int]:
    """Number of missing and of repeated frames."""
    counts = Counter((run, pass_, step) for run, pass_, step, _ in facts["frames"])
    expected = {
        (run, pass_, step)
        for run, passes in facts["passes"].items()
        for pass_ in range(passes[-1] + 1)
        for step in range(0, steps + 1, EVERY)
    }
    return len(expected - set(counts)), sum(count - 1 for count in counts.values())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("runs/killed_trajectories"), help="is emptied")
    parser.add_argument("--within", type=float, default=480.0, help="kill for so many seconds")
    parser.add_argument("--most", type=float, default=4.0, help="most seconds of a run before a kill")
    parser.add_argument("--steps", type=int, default=STEPS, help="length of each run")
    parser.add_argument("--reuse", action="store_true", help="the undisturbed campaign is there already")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder, steps = arguments.folder.resolve(), arguments.steps

    file = folder / "undisturbed" / "cu.yaml"
    if not arguments.reuse:
        began = time.monotonic()
        if code := start(write_campaign(file.parent, steps)).wait():
            sys.exit(f"the undisturbed campaign ended with exit code {code}")
        print(f"undisturbed: {time.monotonic() - began:.0f} s", flush=True)
    expected = read(file)

    file = write_campaign(folder / "killed", steps)
    kills, wall_s = disturb(file, random.Random(arguments.seed), arguments.within, arguments.most)
    facts = read(file)
    print(f"killed: {wall_s:.0f} s; kills: " + ", ".join(f"{n} of {what}" for what, n in kills.items()))
    for name, found in (("undisturbed", expected), ("killed", facts)):
        missing, repeated = faults(found, steps)
        print(
            f"{name}: {found['state']}, {len(found['frames'])} frames, {missing} missing, {repeated} twice; "
            f"{len(found['samples'])} samples, {len(found['validation'])} validation labels, "
            f"{len(found['potentials'])} potentials; {found['segments']} segments, {found['parts']} parts"
        )
    same = {key: facts[key] == expected[key] for key in ("frames", "samples", "validation", "potentials")}
    print("the same bit for bit: " + ", ".join(f"{key}: {value}" for key, value in same.items()))
    missing, repeated = faults(facts, steps)
    sys.exit(bool(missing or repeated) or not all(same.values()))


if __name__ == "__main__":
    main()
