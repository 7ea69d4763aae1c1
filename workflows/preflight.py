"""What can be known of a campaign before it begins: missing programs, cells that cost or mislead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from ase import Atoms

from alflow.campaign.kinds import CampaignSettings
from alflow.errors import InputError
from alflow.structures.cells import VACUUM_A, gaps_A, heights_A
from qm_interfaces import CodeMissing, QMError, get_interface, obstacles
from workflows.campaign_kind import Preview, preview_of

LARGE_LABEL = 200  # atoms beyond which a label of plane-wave DFT takes many core hours
MOST_CHECKED = 10  # different structures
MOST_NOTES = 4


class Verdict(StrEnum):
    """How a part of a campaign stands."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One line of the check."""

    part: str
    verdict: Verdict
    found: str


def qm_obstacles(config: CampaignSettings, preview: Preview | None = None) -> list[QMError]:
    """Reasons why labels of the campaign would fail on this machine."""
    different: dict[tuple[str, tuple[bool, ...]], Atoms] = {}
    for atoms in (preview or preview_of(config)).structures:
        different.setdefault((atoms.get_chemical_formula(), tuple(atoms.pbc)), atoms)
    interface = get_interface(config.qm.interface, **config.qm.options)
    return obstacles(interface, list(different.values())[:MOST_CHECKED])


def require_ready(config: CampaignSettings) -> None:
    """Check that labels of the campaign can run on this machine.

    Raises
    ------
    InputError
        If something is missing: one sentence with what to do.
    """
    if found := qm_obstacles(config):
        raise InputError("; ".join(error.reason for error in found))


def note_missing(config: CampaignSettings) -> list[str]:
    """Sentences on what this machine lacks and workers will need.

    Raises
    ------
    InputError
        If labels would fail on any machine.
    """
    found = qm_obstacles(config)
    if wrong := [error.reason for error in found if not isinstance(error, CodeMissing)]:
        raise InputError("; ".join(wrong))
    return [f"on this machine {error.reason}; workers that label need it" for error in found]


def inspect(config: CampaignSettings, preview: Preview) -> list[Finding]:
    """All findings on QM code and cells."""
    part = f"qm {config.qm.interface}"
    found = []
    for error in qm_obstacles(config, preview):
        verdict = Verdict.MISSING if isinstance(error, CodeMissing) else Verdict.WRONG
        found.append(Finding(part, verdict, error.reason))
    return [*(found or [Finding(part, Verdict.OK, "nothing is missing")]), *_cells(preview)]


def _cells(preview: Preview) -> list[Finding]:
    notes: dict[str, None] = {}
    for atoms in preview.structures:
        if len(atoms) > LARGE_LABEL:
            note = f"labels have {len(atoms)} atoms: if one takes too long, explore in a smaller cell"
            notes[note] = None
        if preview.cutoff_A is not None:
            notes |= dict.fromkeys(_against_cutoff(atoms, preview.cutoff_A))
    if notes:
        return [Finding("cells", Verdict.NOTE, note) for note in list(notes)[:MOST_NOTES]]
    sizes = sorted({len(atoms) for atoms in preview.structures})
    said = f"labels of {' to '.join(map(str, dict.fromkeys((sizes[0], sizes[-1]))))} atoms" if sizes else "–"
    return [Finding("cells", Verdict.OK, said)]


def _against_cutoff(atoms: Atoms, cutoff_A: float) -> Iterator[str]:
    heights, gaps = heights_A(atoms), gaps_A(atoms)
    for axis in np.flatnonzero(atoms.pbc):
        if len(atoms) > 1 and VACUUM_A < gaps[axis] < cutoff_A:
            yield (
                f"along {'abc'[axis]}, {gaps[axis]:.1f} Å are empty, less than the cutoff of {cutoff_A:g} Å: "
                "images of a slab or molecule interact; widen the vacuum"
            )
        elif round(heights[axis], 1) < 0.9 * cutoff_A:  # strained cells differ a little
            yield (
                f"the cell is less than the cutoff of {cutoff_A:g} Å high along {'abc'[axis]}: the potential "
                "can take that, but all cells move alike; use `repeat`"
            )
