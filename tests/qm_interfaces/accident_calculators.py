"""ASE calculators that end badly, for the tests of the label process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from ase.calculators.calculator import Calculator, SCFError
from ase.calculators.emt import EMT


class Accident(Calculator):
    implemented_properties = ["energy", "forces"]  # noqa: RUF012  (ASE's way)


class Segfaulting(Accident):
    def calculate(self, *args: object, **kwargs: object) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class Raising(Accident):
    def calculate(self, *args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("deep inside the code")


class Unconverged(Accident):
    def calculate(self, *args: object, **kwargs: object) -> None:
        raise SCFError("no self-consistency after 60 steps")


class Garbage(Accident):
    """Writes `text` where the result belongs, prints junk, and ends as if all were well."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def calculate(self, *args: object, **kwargs: object) -> None:
        os.write(1, b"\xff\xfe\x00 not text")
        Path("outcome.json").write_text(self.text)
        os._exit(0)


class Holding(Accident):
    """Holds the named pipe open for writing, itself and in a process group that it starts, for ever."""

    def __init__(self, fifo: str) -> None:
        super().__init__()
        self.fifo = fifo

    def calculate(self, *args: object, **kwargs: object) -> None:
        with Path(self.fifo).open("wb", buffering=0) as pipe:
            subprocess.run(
                ["sh", "-c", f"echo grandchild > {self.fifo}; sleep 600"],
                stdout=pipe,
                process_group=0,  # as mpirun does with its ranks
            )


class FillingTheMemory(Accident):
    """A child of the label process takes 400 MB and keeps them."""

    def calculate(self, *args: object, **kwargs: object) -> None:
        subprocess.run([sys.executable, "-c", "import time; held = b'x' * 400_000_000; time.sleep(600)"])


class FillingTheDisk(Accident):
    def calculate(self, *args: object, **kwargs: object) -> None:
        Path("/dev/full").write_text("more than there is room for")


class Reporting(Accident):
    """Writes environment variables, and a file into the scratch folder, then fails."""

    def calculate(self, *args: object, **kwargs: object) -> None:
        scratch = Path(os.environ["ALFLOW_LABEL_SCRATCH"])
        (scratch / "wavefunctions").write_text("large")
        raise SCFError(f"{scratch.parent} {os.environ['OMP_NUM_THREADS']}")


class Sorting(EMT):
    """Sorts the atoms and does not sort back, as a careless interface would."""

    def calculate(self, atoms=None, *args, **kwargs):  # type: ignore[no-untyped-def]
        super().calculate(atoms[atoms.numbers.argsort()], *args, **kwargs)
