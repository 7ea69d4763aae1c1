"""The report of active learning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ase import Atoms

from alflow.potentials.dimer import DimerCurve, dimer_curves
from alflow.report import CampaignPage
from alflow.report.figure import ReportFigure
from alflow.results import (
    Coverage,
    RoundGrades,
    RunRecord,
    read_campaign,
    read_grades,
    read_runs,
    read_trained,
    read_versions,
)
from alflow.results.advice import Shortest
from alflow.results.distances import MOST_ATOMS, coverage, pair_distances, sampled
from alflow.results.stored_potentials import read_active_set, read_potential
from alflow.results.wording import shared_and_own, spoken_all, spoken_pairs
from alflow.store import Store
from alflow.structures.files import write_structures
from workflows.active_learning.figures import by_kind, columns_name, run_figures
from workflows.active_learning.methods import methods
from workflows.active_learning.overview import overview
from workflows.active_learning.schema import ActiveLearning

TEMPLATE = Path(__file__).with_name("page.html.j2")
LONGEST_A = 6.0  # distances that are counted for a potential without a cutoff


@dataclass(frozen=True)
class ActiveLearningPage:
    """The values that the report shows.

    Attributes
    ----------
    common
        The part that reports of all kinds share.
    gamma_save, gamma_break
        Thresholds of the extrapolation grade.
    runs
        Runs with their histories.
    structures
        Result structures, such as relaxed ones, by the name of the run.
    grades
        Extrapolation grades of the recorded steps, by round.
    """

    common: CampaignPage
    gamma_save: float
    gamma_break: float
    runs: Sequence[RunRecord]
    structures: Mapping[str, Sequence[Atoms]] = field(default_factory=dict)
    grades: Sequence[RoundGrades] = ()

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        return self.common.headline

    @property
    def steps(self) -> int:
        """Number of steps of all runs."""
        return sum(run.all_steps for run in self.runs)

    def summary(self) -> dict[str, Any]:
        """The results in plain values."""
        return self.common.summary() | {
            "steps": self.steps,
            "explorers": [run.as_dict() for run in self.runs],
        }

    def figures(self) -> list[ReportFigure]:
        """All figures: those of the runs, and those that all campaigns share."""
        return [*self._run_figures(), *self.common.figures()]

    def _run_figures(self) -> list[ReportFigure]:
        labels = self.common.campaign.labels
        return run_figures(self.runs, labels, self.grades, self.gamma_save, self.gamma_break)

    def render(self, figures_at: str | None = None) -> str:
        """The page as HTML text."""
        explored: defaultdict[str, float] = defaultdict(float)
        for run in self.runs:
            explored[run.unit] += run.all_progress
        most, *more = [(amount, unit) for unit, amount in explored.items()] or [(0.0, "")]
        return self.common.render(
            figures_at,
            TEMPLATE,
            self._run_figures(),
            runs=self.runs,
            steps=self.steps,
            explored=most,
            also_explored=", ".join(f"{amount:.4g} {unit}" for amount, unit in more),
            kinds=[KindSection.of(kind, runs) for kind, runs in by_kind(self.runs)],
        )

    def write_files(self, folder: Path) -> list[Path]:
        """Write the result structures, one extended XYZ file per run."""
        written = []
        for name, structures in self.structures.items():
            written.append(folder / f"{name}.extxyz")
            write_structures(written[-1], structures)
        return written


@dataclass(frozen=True)
class RunRow:
    """A row of a table of runs: the run's own settings and its results in words; means of targeted values."""

    run: RunRecord
    own: str
    results: str
    later: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class KindSection:
    """The runs of one kind of explorer.

    Attributes
    ----------
    name
    figure
        Name of the figure of their histories.
    shared
        Settings that the runs share: names and values in words.
    aims
        Labels of the columns for which some run has a target value.
    rows
    """

    name: str
    figure: str
    shared: Sequence[tuple[str, str]]
    aims: Sequence[str]
    rows: Sequence[RunRow]

    @classmethod
    def of(cls, kind: str, runs: Sequence[RunRecord]) -> KindSection:
        """The table of runs of one kind."""
        shared, own = shared_and_own([run.settings for run in runs])
        aims = dict.fromkeys(q.label for run in runs for q in run.quantities if q.targets is not None)
        rows = [
            RunRow(run, spoken_all(settings), spoken_all(run.results), [run.later(aim) for aim in aims])
            for run, settings in zip(runs, own, strict=True)
        ]
        return cls(kind, columns_name(kind), spoken_pairs(shared), list(aims), rows)

    @property
    def differs(self) -> bool:
        """Whether the runs differ in their settings."""
        return any(row.own for row in self.rows)

    @property
    def has_results(self) -> bool:
        """Whether any run has a result."""
        return any(row.results for row in self.rows)


def page(store: Store, name: str) -> ActiveLearningPage:
    """The report of a finished or running campaign.

    Raises
    ------
    InputError
        If there is no campaign of this name.
    """
    campaign = read_campaign(store, name, "active learning")
    config = store.campaigns.config(name)
    assert isinstance(config, ActiveLearning)
    runs = read_runs(store, name, history=True)
    structures = {run.name: store.explorers.structures(name, run.index) for run in runs}
    training = store.labels.structures(store.labels.to_train_on(name))
    longest_A = getattr(config.potential, "cutoff_A", LONGEST_A)
    walked = {run.name: found for run in runs if (found := _trajectory(store, name, run.index))}
    covered = coverage(
        training,
        [frame for frames in walked.values() for frame in frames] or _candidates(store, name),
        config.species,
        longest_A,
        "frames of the trajectories" if walked else "frames above γ_save",
    )
    common = CampaignPage(
        campaign,
        read_versions(store, name),
        read_trained(store, name),
        covered,
        rdfs={
            run: pairs
            for run, frames in walked.items()
            if (pairs := pair_distances(sampled(frames[len(frames) // 2 :]), config.species, longest_A))
        },
        advice=overview(store, store.campaigns.get(name), _shortest(covered)).advice,
        dimers=_dimers(store, name),
        gamma_break=config.selection.gamma_break,
    )
    return ActiveLearningPage(
        common=replace(common, methods=methods(config, common, runs)),
        gamma_save=config.selection.gamma_save,
        gamma_break=config.selection.gamma_break,
        runs=runs,
        structures={name: found for name, found in structures.items() if found},
        grades=read_grades(store, name, campaign.rounds),
    )


def _shortest(covered: Coverage | None) -> Shortest | None:
    """Shortest distances in the training set and in visited structures; None without either."""
    if covered is None or not covered.visited:
        return None
    trained_A, visited_A = (min(pair.shortest_A for pair in of) for of in (covered.training, covered.visited))
    return Shortest(trained_A, visited_A)


def _trajectory(store: Store, name: str, index: int) -> list[Atoms]:
    """Frames of the last pass of a run of which frames were kept, as many as a report counts."""
    passes = store.explorers.trajectory_passes(name, index)
    if not passes:
        return []
    return thinned_frames(store.explorers.trajectory(name, index, pass_number=passes[-1]))


def thinned_frames(trajectory: Iterable[Atoms], most_atoms: int = MOST_ATOMS) -> list[Atoms]:
    """Frames at equal intervals, with at most twice `most_atoms` atoms together, however long it is."""
    frames: list[Atoms] = []
    stride = 1
    for number, frame in enumerate(trajectory):
        if number % stride == 0:
            frames.append(frame)
            if len(frames) > 1 and len(frames) * len(frame) > 2 * most_atoms:
                frames, stride = frames[::2], 2 * stride
    return frames


def _dimers(store: Store, name: str) -> list[DimerCurve]:
    """Dimer curves of the newest version, with its grades; empty before the first fit."""
    newest = store.potentials.latest(name)
    if newest is None:
        return []
    version = newest["version"]
    return dimer_curves(read_potential(store, name, version), read_active_set(store, name, version))


def _candidates(store: Store, name: str) -> list[Atoms]:
    """Frames above γ_save of all rounds, or of the newest rounds that hold as many as a report counts."""
    frames: list[Atoms] = []
    for round_ in range(store.campaigns.get(name)["round"], 0, -1):
        frames += store.explorers.candidates(name, round_)
        if sum(map(len, frames)) > MOST_ATOMS:
            break
    return frames
