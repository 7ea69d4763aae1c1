"""Submodules of SciPy that are loaded only when they are used."""

from __future__ import annotations

import importlib.util
import sys

import scipy


def delay(submodule: str) -> None:
    """Make `from scipy import submodule` return a stand-in that loads the real module at its first use.

    DFTpy imports scipy.signal, and with it scipy.stats, for a function that labels never call. This took a
    third of the start of a label process.
    """
    name = f"scipy.{submodule}"
    spec = importlib.util.find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    setattr(scipy, submodule, module)
