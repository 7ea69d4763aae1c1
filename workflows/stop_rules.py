"""The end of a campaign and its reason: pure functions of the state after a round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alflow.campaign.sections import Budget
from alflow.potentials.estimates import EstimatedErrors
from alflow.states import CampaignState, RunState

if TYPE_CHECKING:  # that package imports this module
    from workflows.active_learning.schema import Stop

VALIDATION_FRAMES = 10  # with fewer frames the confidence interval is not reliable
STEADY_ROUNDS = 3  # refits over which the error must have settled


@dataclass(frozen=True)
class Progress:
    """The input of the rules of all kinds of campaigns.

    Attributes
    ----------
    round : int
        The round that has just ended.
    labels : int
        Finished labels of the campaign, of all kinds.
    cpu_hours : float
    barren : int
        Rounds in a row, including this one, that brought no label although something waits for one.
    last_failure : str
        Why the latest label failed, or else why a run is paused; the campaign's reason includes it.
    """

    round: int
    labels: int
    cpu_hours: float
    barren: int
    last_failure: str


@dataclass(frozen=True)
class ExplorerProgress(Progress):
    """The further input of the rules for explorers.

    Attributes
    ----------
    unfinished : int
        Runs that have not ended, or that must continue with the newest potential.
    explorer_states : sequence of RunState
    force_rmse_eV_A : sequence of float
        Training error of each version of the potential, oldest first.
    quiet : int
        Passes in a row, including this one, that found nothing new.
    validation
        Error of the newest version on the validation frames; None without any.
    """

    unfinished: int
    explorer_states: Sequence[RunState]
    force_rmse_eV_A: Sequence[float]
    quiet: int
    validation: EstimatedErrors | None = None


def over_budget(rules: Budget, progress: Progress) -> tuple[CampaignState, str] | None:
    """The end state and reason of a campaign that has used up its budget; None to go on."""
    if progress.labels == 0:
        return CampaignState.FAILED, f"no label of the first round succeeded{_because(progress)}"
    if progress.barren >= rules.barren_rounds:
        return CampaignState.FAILED, f"{progress.barren} rounds in a row brought no label{_because(progress)}"
    if progress.round + 1 > rules.max_rounds:
        return CampaignState.STOPPED, f"max_rounds = {rules.max_rounds} is reached"
    if progress.labels >= rules.max_labels:
        return CampaignState.STOPPED, f"max_labels = {rules.max_labels} is reached"
    if rules.max_cpu_hours is not None and progress.cpu_hours >= rules.max_cpu_hours:
        return CampaignState.STOPPED, f"max_cpu_hours = {rules.max_cpu_hours:g} is reached"
    return None


def why_stop(rules: Stop, progress: ExplorerProgress) -> tuple[CampaignState, str] | None:
    """The end state of a campaign of explorers, and the reason in a sentence; None to go on."""
    if progress.labels == 0:
        return over_budget(rules, progress)
    if progress.round > 0 and set(progress.explorer_states) == {RunState.FAILED}:
        return CampaignState.FAILED, "every explorer failed; `alflow status` shows why"
    if not progress.unfinished and progress.quiet >= rules.quiet_rounds:
        failed = list(progress.explorer_states).count(RunState.FAILED)
        but = f" but {failed}, which failed" if failed else ""
        return CampaignState.FINISHED, f"all explorers finished{but}"
    limit = rules.validation_force_rmse_eV_A
    if limit is not None and (errors := progress.validation) is not None:
        force = errors.force_rmse_eV_A
        if errors.frames >= VALIDATION_FRAMES and force.high < limit:
            reason = f"the validation force RMSE is {force.in_words()} eV/Å, below {limit:g} eV/Å"
            return CampaignState.FINISHED, reason
    if (end := over_budget(rules, progress)) is not None:
        return end
    recent = progress.force_rmse_eV_A[-STEADY_ROUNDS - 1 :]
    limit = rules.force_rmse_change_eV_A
    if limit is not None and len(recent) > STEADY_ROUNDS and max(recent) - min(recent) < limit:
        reason = f"the force RMSE changed by less than {limit:g} eV/Å in {STEADY_ROUNDS} refits"
        return CampaignState.STOPPED, reason
    return None


def _because(progress: Progress) -> str:
    return f"; {progress.last_failure}; see `alflow labels list`" if progress.last_failure else ""
