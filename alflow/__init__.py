"""alflow: moment tensor potentials that learn from quantum mechanics while the simulation runs."""

from __future__ import annotations

__version__ = "0.1.0"
