"""The campaign file of molecular dynamics: one strict schema, from which the documentation is made.

Units are part of the names. Every number has bounds that a mistake of a factor of 100 leaves.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated, Any, Literal

from ase.data import chemical_symbols
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from alflow.mtp.fitting import FitSettings
from alflow.mtp.potential import DEFAULT_RADIAL_BASIS_SIZE


def _name(value: str) -> str:
    if not value or not all(c.isalnum() or c in "-_.+" for c in value) or value[0] == ".":
        raise ValueError("a name is made of letters, digits and - _ . +")
    return value


def _symbol(value: str) -> str:
    if value not in chemical_symbols[1:]:
        raise ValueError("a species is a chemical symbol such as Cu")
    return value


Name = Annotated[str, AfterValidator(_name)]
Symbol = Annotated[str, AfterValidator(_symbol)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=20)]


class Section(BaseModel):
    """A part of the campaign file: unknown keys, wrong types, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Build(Section):
    """A crystal made on the spot (`ase.build.bulk`), repeated, optionally an alloy."""

    element: Symbol = Field(description="chemical symbol of the crystal")
    crystal: Literal["sc", "fcc", "bcc", "hcp", "diamond", "zincblende", "rocksalt", "cesiumchloride"] = (
        Field(description="crystal structure")
    )
    a_A: float = Field(ge=1.5, le=20, description="lattice constant, Å")
    c_A: float | None = Field(default=None, ge=1.5, le=30, description="second lattice constant (hcp), Å")
    second_element: Symbol | None = Field(default=None, description="other element of a binary crystal")
    cubic: bool = Field(default=False, description="use the conventional cubic cell")
    repeat: list[Count] = Field(default=[1, 1, 1], min_length=3, max_length=3, description="repetitions")
    composition: dict[Symbol, Fraction] | None = Field(
        default=None, description="fractions of a random alloy on all sites, e.g. {Cu: 0.5, Pd: 0.5}"
    )
    seed: int = Field(default=0, ge=0, description="seed of the random alloy")

    @model_validator(mode="after")
    def _fractions_sum_to_one(self) -> Build:
        if self.composition is not None and abs(sum(self.composition.values()) - 1) > 1e-6:
            raise ValueError(
                f"composition adds up to {sum(self.composition.values()):g}, it must add up to 1"
            )
        return self


class Structure(Section):
    """A starting structure: read from a file or built."""

    name: Name = Field(description="name by which explorers refer to it")
    file: str | None = Field(default=None, description="file that ASE reads; relative to the campaign file")
    index: int = Field(default=0, description="which structure of the file, counted from 0; -1 is the last")
    build: Build | None = Field(default=None, description="or a crystal to build")

    @model_validator(mode="after")
    def _one_source(self) -> Structure:
        if (self.file is None) == (self.build is None):
            raise ValueError(f"structure {self.name!r} needs either `file` or `build`, and not both")
        return self


class Potential(Section):
    """The moment tensor potential."""

    level: int = Field(
        ge=2, le=24, multiple_of=2, description="level of the basis, even; 8 is small, 16 usual"
    )
    cutoff_A: float = Field(ge=2, le=15, description="cutoff radius, Å")
    min_distance_A: float | None = Field(
        default=None,
        ge=0.3,
        le=4,
        description="lower end of the radial basis, Å; default: the shortest distance in the first data",
    )
    radial_basis_size: int = Field(
        default=DEFAULT_RADIAL_BASIS_SIZE,
        ge=3,
        le=20,
        description="Chebyshev polynomials per radial function",
    )

    @model_validator(mode="after")
    def _distances_in_order(self) -> Potential:
        if self.min_distance_A is not None and self.min_distance_A >= self.cutoff_A:
            raise ValueError(
                f"min_distance_A = {self.min_distance_A:g} must be below cutoff_A = {self.cutoff_A:g}"
            )
        return self


class Guards(Section):
    """Where a run pauses although its grade is fine; `null` switches one off."""

    min_distance_A: float | None = Field(default=0.5, ge=0.1, le=5, description="closest approach, Å")
    max_temperature_K: float | None = Field(default=10_000.0, ge=1, le=1e6, description="temperature, K")
    max_volume_change: float | None = Field(
        default=0.5, ge=0.01, le=10, description="relative change of volume against the start"
    )


class Explorer(Section):
    """Molecular-dynamics runs: all combinations of its structures, temperatures, pressures and replicas."""

    name: Name = Field(description="name in status, dashboard and report")
    structure: Name | list[Name] = Field(description="starting structure, or several")
    ensemble: Literal["nve", "nvt", "npt"] = Field(default="nvt", description="ensemble")
    temperature_K: (
        Annotated[float, Field(ge=1, le=20_000)] | list[Annotated[float, Field(ge=1, le=20_000)]]
    ) = Field(description="temperature, K, or several")
    pressure_GPa: (
        Annotated[float, Field(ge=-50, le=1000)] | list[Annotated[float, Field(ge=-50, le=1000)]]
    ) = Field(default=0.0, description="pressure (npt), GPa, or several")
    timestep_fs: float = Field(default=1.0, ge=0.05, le=10, description="time step, fs")
    duration_ps: float | None = Field(default=None, gt=0, le=1_000_000, description="length, ps")
    steps: int | None = Field(default=None, ge=1, le=10**10, description="or length in steps")
    friction_per_fs: float = Field(default=0.01, ge=1e-5, le=1, description="Langevin friction (nvt), 1/fs")
    replicas: int = Field(default=1, ge=1, le=1000, description="runs that differ in their seed only")
    seed: int = Field(default=0, ge=0, description="seed of the first replica's velocities and thermostat")
    guards: Guards = Field(default=Guards(), description="where to pause although the grade is fine")

    @model_validator(mode="after")
    def _one_length(self) -> Explorer:
        if (self.duration_ps is None) == (self.steps is None):
            raise ValueError(f"explorer {self.name!r} needs either `duration_ps` or `steps`, and not both")
        return self

    @property
    def step_count(self) -> int:
        """Length in steps, at least one."""
        if self.duration_ps is None:
            return self.steps or 1
        return max(1, round(1000 * self.duration_ps / self.timestep_fs))


class Selection(Section):
    """Extrapolation grades and what is labelled."""

    mode: Literal["neighborhood", "configuration"] = Field(
        default="neighborhood", description="grade of each atom's neighborhood, or of the whole configuration"
    )
    gamma_save: float = Field(
        default=2.1, ge=1, le=1000, description="frames above this grade are candidates"
    )
    gamma_break: float = Field(default=10.0, ge=1, le=10_000, description="a run pauses above this grade")
    labels_per_round: int = Field(default=5, ge=1, le=1000, description="labels bought per round, at most")

    @model_validator(mode="after")
    def _grades_in_order(self) -> Selection:
        if self.gamma_break < self.gamma_save:
            raise ValueError(
                f"gamma_break = {self.gamma_break:g} must not be below gamma_save = {self.gamma_save:g}"
            )
        return self


class Limits(Section):
    """What a converged label must satisfy to be trained on."""

    max_force_eV_A: float = Field(default=50.0, ge=0.1, le=1000, description="largest force on an atom, eV/Å")
    max_net_force_eV_A: float = Field(
        default=0.05, gt=0, le=100, description="length of the mean force, eV/Å"
    )
    min_distance_A: float = Field(default=0.7, ge=0.1, le=5, description="closest pair of atoms, Å")
    energy_outlier_score: float = Field(
        default=20.0,
        ge=3,
        le=1e6,
        description="robust z-score of the energy per atom among the labels so far",
    )
    energy_scale_floor_eV: float = Field(
        default=0.02, gt=0, le=10, description="least spread of energies assumed in that score, eV per atom"
    )
    volume_outlier_score: float = Field(
        default=15.0,
        ge=3,
        le=1e6,
        description="robust z-score of the logarithm of the volume per atom among the labels so far; "
        "15 lets a factor of 4 pass, raise it for vacuum",
    )


class QM(Section):
    """The quantum-mechanical code that labels."""

    interface: Name = Field(description="name of the interface, e.g. ase or mock")
    options: dict[str, Any] = Field(default={}, description="the interface's own options")
    timeout_s: float = Field(
        default=3600.0, ge=0.1, le=10_000_000, description="limit of the first attempt, s"
    )
    retries: int = Field(default=2, ge=0, le=10, description="further attempts, each with twice the time")
    memory_limit_GB: float | None = Field(
        default=None, ge=0.1, le=100_000, description="memory of all processes of a label together, 10⁹ bytes"
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="labels of this interface that run at a time, over all workers and campaigns of the "
        "database; default: as many as there are workers",
    )
    keep: Literal["none", "failed", "all"] = Field(
        default="failed",
        description="labels whose folder is kept, compressed: none, failed and rejected ones, or all",
    )
    limits: Limits = Field(default=Limits(), description="checks of a converged label")


class Fit(Section):
    """The fit of the potential; the defaults are those of `alflow fit`."""

    energy_weight: float = Field(
        default=FitSettings.energy_weight, ge=0, le=1e6, description="weight of energies, 1/eV²"
    )
    force_weight: float = Field(
        default=FitSettings.force_weight, ge=0, le=1e6, description="weight of forces, Å²/eV²"
    )
    stress_weight: float = Field(
        default=FitSettings.stress_weight, ge=0, le=1e6, description="weight of virials, 1/eV²"
    )
    ridge: float = Field(
        default=FitSettings.ridge,
        ge=0,
        le=1,
        description="damping of steps that the data do not determine, relative",
    )
    starts: int = Field(default=1, ge=1, le=100, description="random starts, of which the best is kept")
    max_iterations: int = Field(
        default=FitSettings.max_iterations, ge=1, le=10_000, description="iterations of each start"
    )
    refit_iterations: int = Field(
        default=10, ge=1, le=10_000, description="iterations of a refit, which starts from the last potential"
    )
    seed: int = Field(default=0, ge=0, description="seed of the random starts")


class Displacements(Section):
    """Structures to begin with: given ones in turn, displaced and strained at random."""

    count: int = Field(default=6, ge=1, le=10_000, description="structures to make and label")
    displacement_A: float = Field(
        default=0.08, ge=0, le=1, description="standard deviation of displacements, Å"
    )
    strain: float = Field(default=0.03, ge=0, le=0.3, description="largest component of the random strain")
    seed: int = Field(default=0, ge=0, description="seed of displacements and strains")


class Initial(Displacements):
    """What the first potential is fitted to: a labelled file, or displaced and strained starts."""

    file: str | None = Field(default=None, description="labelled structures (extended XYZ); default: none")


class Budget(Section):
    """What a campaign may use before it ends unfinished."""

    max_rounds: int = Field(default=200, ge=1, le=100_000, description="rounds")
    max_labels: int = Field(default=10_000, ge=1, le=10_000_000, description="finished labels")
    max_cpu_hours: float | None = Field(default=None, gt=0, le=1e8, description="time spent by all tasks, h")
    barren_rounds: int = Field(
        default=3, ge=1, le=100, description="give up after so many rounds without a label"
    )


class Stop(Budget):
    """When the campaign ends before its explorers do."""

    force_rmse_change_eV_A: float | None = Field(
        default=None,
        gt=0,
        le=10,
        description="end when the training force RMSE changed less in three rounds, eV/Å",
    )
    quiet_rounds: int = Field(
        default=0,
        ge=0,
        le=100,
        description="repeat the finished explorers until so many passes find nothing new",
    )


class Trajectory(Section):
    """One run of an explorer, all lists resolved."""

    index: int
    name: str
    structure: str
    ensemble: Literal["nve", "nvt", "npt"]
    temperature_K: float
    pressure_GPa: float
    timestep_fs: float
    steps: int
    friction_per_fs: float
    seed: int
    guards: Guards


class Campaign(Section):
    """A campaign: which system, which potential, what to explore, who labels, when to stop."""

    name: Name = Field(description="name of the campaign; unique in its database")
    species: list[Symbol] = Field(
        min_length=1, max_length=10, description="chemical symbols, in the potential's order"
    )
    structures: list[Structure] = Field(min_length=1, description="starting structures")
    potential: Potential = Field(description="the moment tensor potential")
    explorers: list[Explorer] = Field(min_length=1, description="molecular-dynamics runs")
    selection: Selection = Field(default=Selection(), description="grades and selection")
    qm: QM = Field(description="who labels")
    fit: Fit = Field(default=Fit(), description="weights and settings of the fit")
    initial: Initial = Field(default=Initial(), description="where the first training data come from")
    stop: Stop = Field(default=Stop(), description="stop rules")

    @model_validator(mode="after")
    def _consistent(self) -> Campaign:
        for what, names in (
            ("species", list(self.species)),
            ("structure", [s.name for s in self.structures]),
            ("explorer", [e.name for e in self.explorers]),
        ):
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"{what} {twice[0]!r} is given twice, names must be unique")
        known = {s.name for s in self.structures}
        for explorer in self.explorers:
            for name in _as_list(explorer.structure):
                if name not in known:
                    raise ValueError(
                        f"explorer {explorer.name!r} starts from structure {name!r}, which is not among "
                        f"the structures {', '.join(sorted(known))}"
                    )
        return self

    def resolved(self, folder: Path) -> Campaign:
        """The same with all paths taken from this folder."""
        structures = [
            s if s.file is None else s.model_copy(update={"file": str(folder / s.file)})
            for s in self.structures
        ]
        initial = self.initial
        if initial.file is not None:
            initial = initial.model_copy(update={"file": str(folder / initial.file)})
        return self.model_copy(update={"structures": structures, "initial": initial})

    def files(self) -> list[tuple[str, str]]:
        """The files that it names, each after the field that names it."""
        named = [("initial.file", self.initial.file)]
        named += [(f"structure {s.name!r}", s.file) for s in self.structures]
        return [(field, file) for field, file in named if file is not None]

    def trajectories(self) -> list[Trajectory]:
        """All runs of all explorers, in the order of the file; the list index is the run's identity."""
        runs: list[Trajectory] = []
        for explorer in self.explorers:
            axes = [
                _as_list(getattr(explorer, key)) for key in ("structure", "temperature_K", "pressure_GPa")
            ]
            for structure, temperature_K, pressure_GPa in itertools.product(*axes):
                for replica in range(explorer.replicas):
                    parts = [explorer.name]
                    parts += [structure] if len(axes[0]) > 1 else []
                    parts += [f"{temperature_K:g}K"] if len(axes[1]) > 1 else []
                    parts += [f"{pressure_GPa:g}GPa"] if len(axes[2]) > 1 else []
                    parts += [str(replica + 1)] if explorer.replicas > 1 else []
                    runs.append(
                        Trajectory(
                            index=len(runs),
                            name="-".join(parts),
                            structure=structure,
                            temperature_K=temperature_K,
                            pressure_GPa=pressure_GPa,
                            steps=explorer.step_count,
                            seed=explorer.seed + replica,
                            **explorer.model_dump(include={"ensemble", "timestep_fs", "friction_per_fs"}),
                            guards=explorer.guards,
                        )
                    )
        return runs


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]
