"""States of all objects in the store, and purposes of labels. The store holds their values."""

from __future__ import annotations

from enum import StrEnum


class CampaignState(StrEnum):
    """running → finished | stopped | failed; an ended campaign can be set running again."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


class RunState(StrEnum):
    """State of an explorer's run: ready → paused ⇄ … → finished | failed."""

    READY = "ready"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        """Whether the run has not ended."""
        return self in (RunState.READY, RunState.PAUSED)


class LabelState(StrEnum):
    """waiting → running → done | rejected | failed."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"

    @property
    def is_ended(self) -> bool:
        """Whether the work on the label is over."""
        return self in (LabelState.DONE, LabelState.FAILED, LabelState.REJECTED)


class LabelKind(StrEnum):
    """Purpose of a label."""

    INITIAL = "initial"
    IMPORTED = "imported"
    EXTRAPOLATIVE = "extrapolative"
    VALIDATION = "validation"
    FINAL = "final"
    ISOLATED = "isolated"

    @property
    def is_held_out(self) -> bool:
        """Whether the label is left out of training: for validation, final results, energies of isolated
        atoms."""
        return self in (LabelKind.VALIDATION, LabelKind.FINAL, LabelKind.ISOLATED)


class LabelProblem(StrEnum):
    """Kind of reason why a label failed or was rejected; a sentence beside it gives the details."""

    NOT_CONVERGED = "not converged"
    TIMED_OUT = "time limit"
    OUT_OF_MEMORY = "memory limit"
    CODE_MISSING = "code missing"
    WRONG_SETTINGS = "wrong settings"
    CODE_FAILED = "code failed"
    LEVEL_CHANGED = "level of theory changed"
    ENERGY_OUTLIER = "energy outlier"
    IMPLAUSIBLE = "implausible result"


class CandidateState(StrEnum):
    """State of a candidate in a stage: waiting → (paused →) relaxed; then the next stage, or dropped."""

    WAITING = "waiting"
    PAUSED = "paused"
    RELAXED = "relaxed"
    DROPPED = "dropped"
    FINAL = "final"


class Dropped(StrEnum):
    """Reason why a candidate crystal was dropped; a sentence beside it gives the details."""

    UNUSABLE = "unusable"
    DUPLICATE = "duplicate"
    NOT_RELAXED = "not relaxed"
    NOT_LABELLED = "not labelled"
    ABOVE_HULL = "above the hull"
    QM_FAILED = "not relaxed by QM"


class ChunkState(StrEnum):
    """State of a portion of a screening's work."""

    READY = "ready"
    FINISHED = "finished"


class ChunkTask(StrEnum):
    """Kind of work on a portion of a screening's work."""

    GATHER = "gather"
    RELAX = "relax"


class Role(StrEnum):
    """Requirement of a task on its worker; the category of its firework."""

    EXPLORE = "explore"
    LABEL = "label"
    TRAIN = "train"
