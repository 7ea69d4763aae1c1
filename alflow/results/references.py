"""The literature that a campaign's methods section cites, with DOIs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A published work.

    Attributes
    ----------
    key
        Its key in BibTeX.
    authors
        As BibTeX writes them, joined by `` and ``.
    title, journal, volume, page, year
        The page may be the number of the article; fields that do not apply are empty.
    doi
        Empty for a work without.
    """

    key: str
    authors: str
    title: str
    journal: str
    volume: str
    page: str
    year: int
    doi: str

    @property
    def address(self) -> str:
        """The address of the work; empty without a DOI."""
        return f"https://doi.org/{self.doi}" if self.doi else ""

    @property
    def text(self) -> str:
        """The reference in one line, without the DOI."""
        names = [" ".join(reversed(author.split(", "))) for author in self.authors.split(" and ")]
        place = " ".join(part for part in (self.journal, self.volume) if part)
        place = ", ".join(part for part in (place, self.page) if part)
        return f"{', '.join(names).replace(', others', ' et al.')}, {self.title}, {place} ({self.year})"

    @property
    def bibtex(self) -> str:
        """An entry of a BibTeX file."""
        fields = {
            "author": self.authors,
            "title": f"{{{self.title}}}",
            "journal": self.journal,
            "volume": self.volume,
            "pages": self.page,
            "year": str(self.year),
            "doi": self.doi,
        }
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@article{{{self.key},", *lines, "}"])


_ALL = (
    Reference(
        "Shapeev2016", "Shapeev, A. V.",
        "Moment tensor potentials: a class of systematically improvable interatomic potentials",
        "Multiscale Model. Simul.", "14", "1153", 2016, "10.1137/15M1054183",
    ),
    Reference(
        "Podryabinkin2017", "Podryabinkin, E. V. and Shapeev, A. V.",
        "Active learning of linearly parametrized interatomic potentials",
        "Comput. Mater. Sci.", "140", "171", 2017, "10.1016/j.commatsci.2017.08.031",
    ),
    Reference(
        "Podryabinkin2023", "Podryabinkin, E. and Garifullin, K. and Shapeev, A. and Novikov, I.",
        "MLIP-3: Active learning on atomic environments with moment tensor potentials",
        "J. Chem. Phys.", "159", "084112", 2023, "10.1063/5.0155887",
    ),
    Reference(
        "Goreinov2010",
        "Goreinov, S. A. and Oseledets, I. V. and Savostyanov, D. V. and Tyrtyshnikov, E. E. and "
        "Zamarashkin, N. L.",
        "How to find a good submatrix",
        "Matrix Methods: Theory, Algorithms and Applications", "", "247", 2010, "10.1142/9789812836021_0015",
    ),
    Reference(
        "Leimkuhler2013", "Leimkuhler, B. and Matthews, C.",
        "Robust and efficient configurational molecular sampling via Langevin dynamics",
        "J. Chem. Phys.", "138", "174102", 2013, "10.1063/1.4802990",
    ),
    Reference(
        "Larsen2017", "Larsen, A. H. and others",
        "The atomic simulation environment: a Python library for working with atoms",
        "J. Phys.: Condens. Matter", "29", "273002", 2017, "10.1088/1361-648X/aa680e",
    ),
    Reference(
        "Shao2021", "Shao, X. and Jiang, K. and Mi, W. and Genova, A. and Pavanello, M.",
        "DFTpy: An efficient and object-oriented platform for orbital-free DFT simulations",
        "WIREs Comput. Mol. Sci.", "11", "e1482", 2021, "10.1002/wcms.1482",
    ),
    Reference(
        "Wang1992", "Wang, L.-W. and Teter, M. P.",
        "Kinetic-energy functional of the electron density",
        "Phys. Rev. B", "45", "13196", 1992, "10.1103/PhysRevB.45.13196",
    ),
    Reference(
        "Fiolhais1995",
        "Fiolhais, C. and Perdew, J. P. and Armster, S. Q. and MacLaren, J. M. and Brajczewska, M.",
        "Dominant density parameters and local pseudopotentials for simple metals",
        "Phys. Rev. B", "51", "14001", 1995, "10.1103/PhysRevB.51.14001",
    ),
    Reference(
        "Giannozzi2017", "Giannozzi, P. and others",
        "Advanced capabilities for materials modelling with Quantum ESPRESSO",
        "J. Phys.: Condens. Matter", "29", "465901", 2017, "10.1088/1361-648X/aa8f79",
    ),
    Reference(
        "Kresse1996", "Kresse, G. and Furthmüller, J.",
        "Efficient iterative schemes for ab initio total-energy calculations using a plane-wave basis set",
        "Phys. Rev. B", "54", "11169", 1996, "10.1103/PhysRevB.54.11169",
    ),
    Reference(
        "Kresse1999", "Kresse, G. and Joubert, D.",
        "From ultrasoft pseudopotentials to the projector augmented-wave method",
        "Phys. Rev. B", "59", "1758", 1999, "10.1103/PhysRevB.59.1758",
    ),
    Reference(
        "Sun2020", "Sun, Q. and others",
        "Recent developments in the PySCF program package",
        "J. Chem. Phys.", "153", "024109", 2020, "10.1063/5.0006074",
    ),
    Reference(
        "Perdew1996", "Perdew, J. P. and Burke, K. and Ernzerhof, M.",
        "Generalized gradient approximation made simple",
        "Phys. Rev. Lett.", "77", "3865", 1996, "10.1103/PhysRevLett.77.3865",
    ),
    Reference(
        "Jacobsen1996", "Jacobsen, K. W. and Stoltze, P. and Nørskov, J. K.",
        "A semi-empirical effective medium theory for metals and alloys",
        "Surf. Sci.", "366", "394", 1996, "10.1016/0039-6028(96)00816-3",
    ),
)  # fmt: skip
REFERENCES = {reference.key: reference for reference in _ALL}
"""By key."""
