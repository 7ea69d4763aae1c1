"""Mutated files through every reader: only `InputError` may come out, in seconds, within a limit of memory.

The file of a fault goes to stderr.

Usage: python benchmarks/fuzz_readers.py [mutations per reader] [seed] [reader …]
"""

from __future__ import annotations

import logging
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import ase.io
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from alflow.campaign.file import load_campaign
from alflow.errors import InputError
from alflow.potentials import read_potential
from alflow.potentials.mtp import MomentTensorPotential, write_mtp
from alflow.selection import ActiveSet
from alflow.selection.graded import read_graded, write_graded
from alflow.structures.files import read_structures, write_structures

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))
from vasp_outputs import NOT_REACHED, REACHED, outcar, vasprun  # noqa: E402

TIME_LIMIT_S = 3
MEMORY_LIMIT_GB = 8
WORDS = [
    *(b"nan", b"inf", b"-1", b"0", b"1e999", b"999999999", b"abc", b"T", b"", b"\x00", b"\xff", b"\xce\xb3"),
    *(b"{", b'"', b"=", b"weight=x", b"free_energy=x", b"pbc=3"),
]
Reader = Callable[[Path], object]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_GB << 30, MEMORY_LIMIT_GB << 30))
    signal.signal(signal.SIGPROF, _too_long)
    warnings.simplefilter("ignore")
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        for name, (reader, seeds) in readers(Path(folder)).items():
            if len(sys.argv) <= 3 or name in sys.argv[3:]:
                report(name, reader, seeds, count, rng, Path(folder))


def report(
    name: str, reader: Reader, seeds: list[bytes], count: int, rng: random.Random, folder: Path
) -> None:
    """Read mutated files, and print how often each outcome occurred."""
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    begin = time.monotonic()
    for _ in range(count):
        path = folder / name
        path.write_bytes(mutated(rng.choice(seeds), rng, seeds))
        started = time.process_time()
        try:
            signal.setitimer(signal.ITIMER_PROF, TIME_LIMIT_S)
            try:
                reader(path)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            outcomes["read"] += 1
        except InputError as error:
            outcomes["refused" if "\n" not in str(error) else "refused in several lines"] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            frame = traceback.extract_tb(error.__traceback__)[-1]
            outcomes[
                f"FAULT {type(error).__name__} {Path(frame.filename).name}:{frame.lineno} {error!s:.80}"
            ] += 1
            print(path.read_bytes()[:2000], file=sys.stderr)
        slowest = max(slowest, time.process_time() - started)
    print(
        f"{name}: {count} in {time.monotonic() - begin:.0f} s, slowest {slowest:.2f} s, {dict(outcomes)}",
        flush=True,
    )


def mutated(data: bytes, rng: random.Random, seeds: list[bytes]) -> bytes:
    """One to four changes of a file: of bytes, words, lines, or its end."""
    for _ in range(rng.randint(1, 4)):
        lines = data.split(b"\n")
        at = rng.randrange(len(lines))
        match rng.randrange(7):
            case 0:
                data = data[: rng.randrange(len(data) + 1)]
            case 1 if data:
                place = rng.randrange(len(data))
                data = data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]
            case 2:
                del lines[at]
                data = b"\n".join(lines)
            case 3:
                lines.insert(at, rng.choice(lines))
                data = b"\n".join(lines)
            case 4:
                data = data.replace(b"\n", b"\r\n")
            case 5:
                lines[at] = rng.choice(rng.choice(seeds).split(b"\n"))
                data = b"\n".join(lines)
            case _:
                words = lines[at].split(b" ")
                words[rng.randrange(len(words))] = rng.choice(WORDS)
                lines[at] = b" ".join(words)
                data = b"\n".join(lines)
    return data


def readers(folder: Path) -> dict[str, tuple[Reader, list[bytes]]]:
    """Readers by the name of their file, each with the files to mutate."""
    atoms = labelled()
    cases = ROOT / "tests" / "data" / "cases"

    def structures(path: Path) -> list[Atoms]:
        return read_structures(path, species=["Cu", "Pd"])

    def written(name: str, **options: object) -> bytes:
        ase.io.write(folder / name, atoms, **options)
        return (folder / name).read_bytes()

    write_structures(folder / "a.cfg", [atoms] * 2, species=["Cu", "Pd"])
    ase.io.write(folder / "b.extxyz", [atoms] * 2)
    potential, copper = MomentTensorPotential.random(["Cu"], 4, 4.0, seed=1), [bulk("Cu", cubic=True)] * 2
    write_mtp(folder / "a.mtp", potential)
    active = ActiveSet.from_structures(potential, copper, "neighborhood")
    write_graded(folder / "a.almtp", potential, active, copper)
    found: dict[str, tuple[Reader, list[bytes]]] = {
        "fuzz.cfg": (structures, [(folder / "a.cfg").read_bytes(), *_files(cases, "*.cfg")]),
        "fuzz.extxyz": (
            lambda path: read_structures(path, labelled=True, species=["Cu", "Pd"]),
            [(folder / "b.extxyz").read_bytes(), *_files(cases, "*.extxyz")],
        ),
        "POSCAR": (structures, [written("POSCAR", format="vasp"), *_files(cases, "POSCAR")]),
        "fuzz.cif": (structures, [written("a.cif"), *_files(cases, "*.cif")]),
        "fuzz.data": (
            structures,
            [written("a.data", format="lammps-data", masses=True), *_files(cases, "*.data")],
        ),
        "fuzz.dump": (structures, [DUMP]),
        "fuzz.mtp": (
            lambda path: read_potential(path, ["Cu"]),
            [(folder / "a.mtp").read_bytes(), *_files(cases, "*.mtp")],
        ),
        "fuzz.almtp": (
            lambda path: read_graded(path, ["Cu"]),
            [(folder / "a.almtp").read_bytes(), *_files(cases, "*.almtp")],
        ),
        "campaign.yaml": (load_campaign, _files(ROOT / "examples", "*.yaml")),
    }
    active.save(folder / "a.npz")
    found["fuzz.npz"] = (ActiveSet.load, [(folder / "a.npz").read_bytes()])
    steps = [
        outcar((3, REACHED, -1.0), (2, NOT_REACHED, -2.0), (2, REACHED, -3.0)),
        outcar((1, REACHED, -1.0)),
    ]
    found["OUTCAR"] = (structures, [text.encode() for text in steps])
    found["vasprun.xml"] = (structures, [vasprun(2, 3, 1).encode()])
    found["pw.out"] = (read_structures, _files(ROOT / "tests" / "data" / "qm_outputs", "espresso*.out"))
    return {name: (reader, seeds) for name, (reader, seeds) in found.items() if seeds}


def labelled() -> Atoms:
    atoms = bulk("Cu", a=3.6, cubic=True)
    atoms.symbols[1] = "Pd"
    atoms.calc = SinglePointCalculator(atoms, energy=-3.0, forces=[[0.1, 0, 0]] * 4, stress=[0.01] * 6)
    return atoms


def _files(folder: Path, pattern: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted(folder.rglob(pattern)) if file.stat().st_size < 200_000]


class TooLongError(BaseException):
    """Raised by the alarm; no reader catches it."""


def _too_long(number: int, frame: object) -> None:
    raise TooLongError(f"longer than {TIME_LIMIT_S} s")


DUMP = b"""ITEM: TIMESTEP
10
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS xy xz yz pp pp pp
0 5 1
0 4 0
0 4 0
ITEM: ATOMS id type xs ys zs fx fy fz
2 2 0.5 0.5 0.5 -1 0 0
1 1 0 0 0 1 0 0
"""

if __name__ == "__main__":
    main()
