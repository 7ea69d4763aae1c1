"""The compiled kernel, in the build that suits this processor best.

The same C++ source is compiled for several instruction sets. `ALFLOW_KERNEL` (`baseline`, `avx2` or `avx512`)
forces one of them. `ALFLOW_KERNEL_FOLDER` is a folder with other builds, such as those of `make sanitize`,
which replace the installed ones.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import ModuleType

__all__ = [
    "BUILDS",
    "VerletList",
    "build_name",
    "compiler",
    "evaluate",
    "instrumented",
    "jacobian",
    "lanes",
    "load",
    "make_potential",
    "supports",
]

BUILDS = ("baseline", "avx2", "avx512")


def load(build: str) -> ModuleType:
    """The compiled module of a build.

    Raises
    ------
    ImportError
        If the build does not exist.
    """
    name, folder = f"{__name__}._{build}", os.environ.get("ALFLOW_KERNEL_FOLDER")
    if not folder or name in sys.modules:
        return import_module(name)
    spec = PathFinder.find_spec(name, [folder])
    if spec is None or spec.loader is None:
        raise ImportError(f"ALFLOW_KERNEL_FOLDER is {folder!r}; it holds no build {build}")
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_baseline = load("baseline")


def supports(build: str) -> bool:
    """Whether this processor can run a build."""
    return BUILDS.index(build) <= BUILDS.index(_baseline.best_build())


def _choose() -> tuple[str, ModuleType]:
    name = os.environ.get("ALFLOW_KERNEL") or _baseline.best_build()
    if name not in BUILDS:
        raise ImportError(f"ALFLOW_KERNEL is {name!r}; it must be one of {', '.join(BUILDS)}")
    return name, load(name)


build_name, _kernel = _choose()
compiler: str = _kernel.compiler
instrumented: bool = _kernel.instrumented
"""Whether the kernel checks its own memory accesses, as the builds of `make sanitize` do."""
VerletList = _kernel.VerletList
evaluate = _kernel.evaluate
jacobian = _kernel.jacobian
lanes: int = _kernel.lanes
"""Double-precision numbers per register."""
make_potential = _kernel.make_potential
