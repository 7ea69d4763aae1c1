from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structures import potential

from alflow.errors import InputError
from alflow.potentials.mtp import KIND, mtp_from_text, mtp_to_text, read_mtp, write_mtp
from alflow.potentials.mtp.mtp_file import read_template

CASES = Path(__file__).parents[1] / "data" / "cases"
ODD = CASES / "13-mtp-whitespace-and-unknown-keys"
PLAIN = CASES / "03-almtp" / "plain.mtp"


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
    "'zbl_repulsion'": lambda t: t.replace("species_count", "zbl_repulsion = 29\nspecies_count", 1),
    "'magnetic_basis_type'": lambda t: t.replace("alpha_moments", "magnetic_basis_type = B\nalpha_moments"),
    "scaling twice": lambda t: t.replace("scaling = 1", "scaling = 2\nscaling = 1"),
    "version '1.2.0'": lambda t: t.replace("1.1.0", "1.2.0"),
    "0-1 twice": lambda t: t.replace("\t\t1-1\n", "\t\t0-1\n"),
    "each pair of the types 0 to 1": lambda t: t.replace("\t\t1-1\n", "\t\t2-2\n"),
    "max_dist is inf, which is not finite": lambda t: re.sub(r"max_dist = \S+", "max_dist = inf", t),
    "not a whole number": lambda t: re.sub(r"radial_funcs_count = \S+", "radial_funcs_count = 1e30", t),
    "rows of four": lambda t: t.replace(
        "alpha_index_basic = {{0, 0, 0, 0}", "alpha_index_basic = {{0, 0}, {0, 0}"
    ),
    "scalar moments": lambda t: t.replace("alpha_scalar_moments = ", "alpha_scalar_moments = 1"),
    "no key with a value": lambda t: t.replace("species_coeffs", "and so on\nspecies_coeffs"),
    "each pair of the types": lambda t: re.sub(r"(radial_coeffs\n)(\t\t.*\n)+", r"\1", t),
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


def test_headers_say_which_types_a_block_belongs_to():
    """As in MLIP-3: blocks by header, species energies in the order in which headers name the types."""
    ours = potential(8, 2)
    text = mtp_to_text(ours)
    head, rest = text.split("radial_coeffs\n")
    body, tail = rest.split("alpha_moments_count", 1)
    blocks = dict(re.findall(r"\t\t(\d-\d)\n((?:\t\t\t.*\n)+)", body))
    other = "".join(f"\t\t{pair}\n{blocks[pair]}" for pair in ("1-1", "1-0", "0-1", "0-0"))
    tail = re.sub(r"species_coeffs = \{(.*), (.*)\}", r"species_coeffs = {\2, \1}", tail)
    read = mtp_from_text(f"{head}radial_coeffs\n{other}alpha_moments_count{tail}")
    np.testing.assert_array_equal(read.parameters, ours.parameters)


@pytest.mark.parametrize("name", ["bom.mtp", "old_keys.mtp", "trailing_space.mtp"])
def test_odd_text_is_read_as_plain_text_is(name):
    plain, odd = read_mtp(PLAIN, ["Cu"]), read_mtp(ODD / name, ["Cu"])
    np.testing.assert_array_equal(odd.identity, plain.identity)
    assert plain.radial_coefficients.ravel()[:3].tolist() == [0.1, 0.02, 0.01]


def test_windows_line_ends_change_nothing(tmp_path):
    (tmp_path / "p.mtp").write_bytes(PLAIN.read_bytes().replace(b"\n", b"\r\n"))
    np.testing.assert_array_equal(
        read_mtp(tmp_path / "p.mtp", ["Cu"]).identity, read_mtp(PLAIN, ["Cu"]).identity
    )


def test_scaling_of_the_radial_basis_multiplies_that_of_the_potential():
    text = mtp_to_text(potential(8)).replace("\tmin_dist", "\tscaling = 0.5\n\tmin_dist")
    assert mtp_from_text(text).scaling == 0.5 * potential(8).scaling


def test_an_unknown_key_is_refused_by_name():
    with pytest.raises(InputError, match="'zbl_repulsion'"):
        read_mtp(ODD / "unknown_key.mtp", ["Cu"])


def test_an_untrained_file_says_so_and_gives_its_form():
    path = CASES / "10-untrained-mtp-start" / "untrained.mtp"
    with pytest.raises(InputError, match=r"untrained potential.*--level"):
        read_mtp(path, ["Cu"])
    template = read_template(path)
    assert template is not None and read_template(PLAIN) is None
    assert (template.cutoff_A, template.min_distance_A, template.radial_basis_size) == (5, 2, 8)
    np.testing.assert_array_equal(template.tables.times, [[0, 0, 1, 1]])


@settings(max_examples=300, deadline=None)
@given(
    place=st.floats(0, 1),
    length=st.sampled_from([0, 1, 3, 20, 10**6]),
    inserted=st.one_of(
        st.binary(max_size=6),
        st.sampled_from(
            ["nan", "1e999", "-1", "{", "}", "=", "\n", "#", ",", "0-0", "9" * 20, "\n#MVS_v1.1\n"]
        ),
    ),
    wide=st.booleans(),
)
def test_mutated_files_are_read_or_refused(place, length, inserted, wide):
    """25,000 mutations of eight real files were tried with a script; this is a sample."""
    data = (
        mtp_to_text(potential(8, 2)).encode() if wide else (CASES / "03-almtp" / "trained.almtp").read_bytes()
    )
    begin = int(place * len(data))
    new = inserted if isinstance(inserted, bytes) else inserted.encode()
    try:
        KIND.from_bytes(
            data[:begin] + new + data[begin + length :], ["Cu", "Pd"] if wide else ["Cu"], "x.mtp"
        )
    except InputError as error:
        assert "\n" not in str(error)
