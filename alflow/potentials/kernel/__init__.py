"""The compiled kernel: the build of it that suits this processor best.

The same C++ source is compiled for several instruction sets. `ALFLOW_KERNEL` (`baseline`, `avx2` or `avx512`)
forces one of them.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

__all__ = [
    "BUILDS",
    "VerletList",
    "build_name",
    "compiler",
    "evaluate",
    "jacobian",
    "make_potential",
    "supports",
]

_baseline = import_module("alflow.potentials.kernel._baseline")

BUILDS = ("baseline", "avx2", "avx512")


def supports(build: str) -> bool:
    """Whether this processor can run a build."""
    return BUILDS.index(build) <= BUILDS.index(_baseline.best_build())


def _choose() -> tuple[str, ModuleType]:
    name = os.environ.get("ALFLOW_KERNEL") or _baseline.best_build()
    if name not in BUILDS:
        raise ImportError(f"ALFLOW_KERNEL is {name!r}; it must be one of {', '.join(BUILDS)}")
    return name, import_module(f"alflow.potentials.kernel._{name}")


build_name, _kernel = _choose()
compiler: str = _kernel.compiler
VerletList = _kernel.VerletList
evaluate = _kernel.evaluate
jacobian = _kernel.jacobian
make_potential = _kernel.make_potential
