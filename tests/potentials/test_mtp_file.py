from __future__ import annotations

import re

import numpy as np
import pytest
from structures import potential

from alflow.errors import InputError
from alflow.potentials.mtp import mtp_from_text, mtp_to_text, read_mtp, write_mtp


def test_every_number_survives_a_round_trip(tmp_path):
    ours = potential(12, 3)
    write_mtp(tmp_path / "p.mtp", ours)
    back = read_mtp(tmp_path / "p.mtp")
    np.testing.assert_array_equal(back.parameters, ours.parameters)
    assert (back.species, back.cutoff_A, back.min_distance_A) == (
        ours.species,
        ours.cutoff_A,
        ours.min_distance_A,
    )
    for table in ("basic", "times", "scalars"):
        np.testing.assert_array_equal(getattr(back.tables, table), getattr(ours.tables, table))
    assert [file.name for file in tmp_path.iterdir()] == ["p.mtp"]


def test_level_2_has_an_empty_table():
    ours = potential(2)
    np.testing.assert_array_equal(mtp_from_text(mtp_to_text(ours)).parameters, ours.parameters)


def test_species_given_win_over_the_tag():
    assert mtp_from_text(mtp_to_text(potential(4)), ["Au"]).species == ("Au",)


BROKEN = {
    "not 'MTP'": lambda t: "hello\n" + t,
    "truncated": lambda t: t[: len(t) - 300],
    "has no moment_coeffs|truncated": lambda t: t[: t.index("moment_coeffs")],
    "announces": lambda t: t.replace("alpha_index_times_count = ", "alpha_index_times_count = 1"),
    "points outside": lambda t: re.sub(r"(alpha_moment_mapping = \{)0", r"\g<1>9999", t),
    "no number": lambda t: t.replace("max_dist = ", "max_dist = five"),
    "RBChebyshev": lambda t: t.replace("RBChebyshev", "RBShapeev"),
    "must lie between": lambda t: re.sub(r"min_dist = \S+", "min_dist = 77", t),
    "numbers, but": lambda t: t.replace("moment_coeffs = {", "moment_coeffs = {1.0, "),
    "not finite": lambda t: re.sub(r"species_coeffs = \{[^,}]*", "species_coeffs = {nan", t),
    "elements": lambda t: re.sub("potential_tag.*", "potential_tag = ", t),
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_files_are_refused_in_one_sentence(message):
    with pytest.raises(InputError, match=message) as caught:
        mtp_from_text(BROKEN[message](mtp_to_text(potential(8, 2))), name="x.mtp")
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot read the potential"):
        read_mtp(tmp_path / "no.mtp")
