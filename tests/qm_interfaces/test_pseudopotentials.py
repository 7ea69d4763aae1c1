from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from qm_interfaces.pseudopotentials import EVANESCENT_CORE, GOODWIN_NEEDS_HEINE, EvanescentCore, recpot


@pytest.fixture(params=sorted(EVANESCENT_CORE))
def core(request: pytest.FixtureRequest) -> EvanescentCore:
    return EVANESCENT_CORE[request.param]


def test_smooth_at_the_nucleus_and_coulomb_far_away(core: EvanescentCore) -> None:
    x = np.linspace(0.01, 0.3, 30)
    fit = np.polynomial.Polynomial.fit(x, core.potential_Ha(x * core.radius_bohr), 9).convert().coef
    scale = abs(fit[2])
    assert abs(fit[1]) < 1e-3 * scale
    assert abs(fit[3]) < 1e-2 * scale
    far = np.array([20.0, 40.0]) * core.radius_bohr
    np.testing.assert_allclose(core.potential_Ha(far), -core.valence / far, rtol=1e-6)


@pytest.mark.parametrize("q_per_bohr", [0.4, 1.0, 3.0, 9.0])
def test_form_factor_is_the_fourier_transform(core: EvanescentCore, q_per_bohr: float) -> None:
    def short_ranged(r: float) -> float:
        return float(
            (core.potential_Ha(np.array(r)) + core.valence / r) * r * np.sin(q_per_bohr * r) / q_per_bohr
        )

    integral = 4 * np.pi * quad(short_ranged, 0, 60 * core.radius_bohr, limit=500, epsabs=1e-11)[0]
    expected = integral - 4 * np.pi * core.valence / q_per_bohr**2
    assert core.form_factor_Ha_bohr3(np.array(q_per_bohr)) == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_limit_at_zero_is_the_form_factor_without_its_coulomb_part(core: EvanescentCore) -> None:
    q = 1e-3
    without = core.form_factor_Ha_bohr3(np.array(q)) + 4 * np.pi * core.valence / q**2
    assert core.form_factor_Ha_bohr3(np.array(0.0)) == pytest.approx(without, rel=1e-4)


def test_dftpy_reads_the_file(core: EvanescentCore, tmp_path: Path) -> None:
    reader = pytest.importorskip("dftpy.functional.pseudo.recpot")
    (tmp_path / "X.recpot").write_text(recpot(core))
    read = reader.RECPOT(str(tmp_path / "X.recpot"))
    assert read.zval == core.valence
    np.testing.assert_allclose(read.v, core.form_factor_Ha_bohr3(read.r), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("q_per_bohr", [0.05, 0.4, 1.0, 3.0])
def test_the_model_of_heine_and_abarenkov(q_per_bohr: float) -> None:
    core = GOODWIN_NEEDS_HEINE["Al"]

    def inside(r: float) -> float:
        return float((core.valence / r - core.depth_Ha) * r * np.sin(q_per_bohr * r) / q_per_bohr)

    short_ranged = 4 * np.pi * quad(inside, 0, core.radius_bohr)[0]
    undamped = short_ranged - 4 * np.pi * core.valence / q_per_bohr**2
    damping = np.exp(-((q_per_bohr / core.cutoff_per_bohr) ** 6))
    assert core.form_factor_Ha_bohr3(np.array(q_per_bohr)) == pytest.approx(undamped * damping, rel=1e-9)
    if q_per_bohr < 0.1:
        assert core.form_factor_Ha_bohr3(np.array(0.0)) == pytest.approx(short_ranged, rel=1e-3)
