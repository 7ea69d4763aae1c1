"""Errors of fits with the default settings on the data of Zuo et al. 2020 (doi 10.1021/acs.jpca.9b08723).

python benchmarks/zuo2020.py ../shared/data/zuo2020 --level 20
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ase.io import read

from alflow.potentials.errors import evaluate_errors
from alflow.potentials.mtp import MTPSettings, fit

CUTOFFS_A = {"Mo": 5.2, "Si": 5.0}
PUBLISHED = {"Mo": (2.83, 0.09), "Si": (2.21, 0.06)}
"""Test MAE of moment tensor potentials as later benchmarks quote the paper: meV/atom, eV/Å."""


def main() -> None:
    """Print a row an element."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("data", type=Path, help="folder with Mo_train.extxyz, Mo_test.extxyz, ...")
    arguments.add_argument("--elements", nargs="+", default=list(CUTOFFS_A))
    arguments.add_argument("--level", type=int, default=20)
    arguments.add_argument("--threads", type=int, default=1)
    options = arguments.parse_args()
    print("| element | level | iterations | CPU s | test MAE, meV/atom (published) | eV/Å (published) |")
    print("|---|---|---|---|---|---|")
    for element in options.elements:
        train, test = (read(options.data / f"{element}_{part}.extxyz", ":") for part in ("train", "test"))
        begin = time.process_time()
        result = fit(
            train,
            species=[element],
            form=MTPSettings(level=options.level, cutoff_A=CUTOFFS_A[element]),
            threads=options.threads,
        )
        seconds = time.process_time() - begin
        errors = evaluate_errors(result.potential, test)
        energy, force = PUBLISHED[element]
        print(
            f"| {element} | {options.level} | {result.iterations} | {seconds:.0f} "
            f"| {1000 * errors.energy_mae_eV_per_atom:.2f} ({energy}) "
            f"| {errors.force_mae_eV_A:.3f} ({force}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
