"""Local pseudopotentials of simple metals in closed form, and the file format from which DFTpy reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from ase.units import Bohr, Hartree

LARGEST_WAVE_VECTOR_PER_BOHR = 24.0  # grids as fine as 0.12 Å, corner of the box included
WAVE_VECTOR_STEP_PER_BOHR = 0.005  # the reader interpolates with cubic splines; 5e-4 of a bcc zone boundary


class LocalPseudopotential(Protocol):
    """A local pseudopotential of one species; atomic units (bohr, hartree) throughout."""

    def form_factor_Ha_bohr3(self, q_per_bohr: np.ndarray) -> np.ndarray:
        """Return ∫ w(r) exp(-iq·r) d³r for q > 0, and at q = 0 its limit without the Coulomb part -4πz/q²."""
        ...


@dataclass(frozen=True)
class EvanescentCore:
    """The form of C. Fiolhais, J. P. Perdew, S. Q. Armster, J. M. MacLaren and M. Brajczewska.

    Phys. Rev. B 51, 14001 (1995), doi 10.1103/PhysRevB.51.14001. With x = r/R,

        w(r) = -(z/R) { [1 - (1 + βx) exp(-αx)] / x - A exp(-x) }

    β and A follow from w'(0) = w'''(0) = 0, so that w is smooth at the nucleus. The two remaining parameters
    make the solid stable at its observed density, and give the right number of electrons between the spheres.
    """

    valence: int
    alpha: float
    radius_bohr: float

    def __str__(self) -> str:
        return (
            f"Evanescent-core pseudopotential, Phys. Rev. B 51, 14001 (1995): z = {self.valence}, "
            f"alpha = {self.alpha}, R = {self.radius_bohr} bohr"
        )

    @property
    def beta(self) -> float:
        return (self.alpha**3 - 2 * self.alpha) / (4 * (self.alpha**2 - 1))

    @property
    def amplitude(self) -> float:
        """A of the formula."""
        return self.alpha**2 / 2 - self.alpha * self.beta

    def potential_Ha(self, r_bohr: np.ndarray) -> np.ndarray:
        """w(r) for r > 0."""
        x = np.asarray(r_bohr) / self.radius_bohr
        coulomb = (1 - (1 + self.beta * x) * np.exp(-self.alpha * x)) / x
        return -self.valence / self.radius_bohr * (coulomb - self.amplitude * np.exp(-x))

    def form_factor_Ha_bohr3(self, q_per_bohr: np.ndarray) -> np.ndarray:
        q = np.asarray(q_per_bohr, dtype=float)
        y = (q * self.radius_bohr) ** 2
        alpha2 = self.alpha**2
        core = (
            1 / (y + alpha2)
            + 2 * self.alpha * self.beta / (y + alpha2) ** 2
            + 2 * self.amplitude / (y + 1) ** 2
        )
        coulomb = np.divide(1.0, y, out=np.zeros_like(y), where=y > 0)
        return 4 * np.pi * self.valence * self.radius_bohr**2 * (core - coulomb)


@dataclass(frozen=True)
class SmoothedHeineAbarenkov:
    """L. Goodwin, R. J. Needs and V. Heine, J. Phys.: Condens. Matter 2, 351 (1990).

    The model of Heine and Abarenkov, w = -A within the radius R and -z/r outside, damped in reciprocal space
    by exp[-(q/q_c)⁶].
    """

    valence: int
    depth_Ha: float
    radius_bohr: float
    cutoff_per_bohr: float

    def __str__(self) -> str:
        return (
            "Goodwin-Needs-Heine pseudopotential, J. Phys.: Condens. Matter 2, 351 (1990): "
            f"z = {self.valence}, A = {self.depth_Ha} Ha, R = {self.radius_bohr} bohr, "
            f"q_c = {self.cutoff_per_bohr} 1/bohr"
        )

    def form_factor_Ha_bohr3(self, q_per_bohr: np.ndarray) -> np.ndarray:
        q = np.asarray(q_per_bohr, dtype=float)
        inner = self.depth_Ha * self.radius_bohr
        outer = self.valence - inner
        x = q * self.radius_bohr
        safe = np.where(q > 0, q, 1.0)
        model = -4 * np.pi / safe**2 * (outer * np.cos(x) + inner * np.sinc(x / np.pi))
        limit = 4 * np.pi * self.radius_bohr**2 * (outer / 2 + inner / 6)
        return np.where(q > 0, model * np.exp(-((q / self.cutoff_per_bohr) ** 6)), limit)


def recpot(pseudopotential: LocalPseudopotential) -> str:
    """Return the form factor as the text of a .recpot file (CASTEP's format: 1/Å and eV Å³)."""
    count = round(LARGEST_WAVE_VECTOR_PER_BOHR / WAVE_VECTOR_STEP_PER_BOHR) + 1
    q_per_bohr = np.linspace(0.0, LARGEST_WAVE_VECTOR_PER_BOHR, count)
    values = pseudopotential.form_factor_Ha_bohr3(q_per_bohr) * Hartree * Bohr**3
    return "\n".join(
        [
            "START COMMENT",
            str(pseudopotential),
            "END COMMENT",
            "3     5",
            f"{LARGEST_WAVE_VECTOR_PER_BOHR / Bohr:.15g}",
            *(
                "  ".join(f"{value:22.15E}" for value in row)
                for row in np.array_split(values, range(3, count, 3))
            ),
            "1000",
            "",
        ]
    )


# Only species for which orbital-free DFT with these parameters reproduces the lattice constant that they were
# made for (r_s = 3.28 bohr for Li, 3.99 bohr for Na) to within 0.3 %: benchmarks/li_equation_of_state.py.
EVANESCENT_CORE = {
    "Li": EvanescentCore(valence=1, alpha=3.549, radius_bohr=0.361),
    "Na": EvanescentCore(valence=1, alpha=3.499, radius_bohr=0.492),
}
# Tested in the same way: orbital-free aluminium has a = 4.04 Å and B = 72 GPa (docs/qm_codes.md).
GOODWIN_NEEDS_HEINE = {
    "Al": SmoothedHeineAbarenkov(valence=3, depth_Ha=0.1107, radius_bohr=1.150, cutoff_per_bohr=3.5)
}
BUILT_IN: dict[str, Mapping[str, LocalPseudopotential]] = {
    "evanescent-core": EVANESCENT_CORE,
    "goodwin-needs-heine": GOODWIN_NEEDS_HEINE,
}
