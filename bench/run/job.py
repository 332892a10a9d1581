"""A job for one process, and the record of a run of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydantic import BaseModel, ConfigDict

from bench.plan import Cell, Run
from bench.store import Numbers, Provenance, Record, TeacherRef

Write = Callable[[Record, bytes | None], None]  # takes a run's record, and its policy as a safetensors file's bytes


class Limits(BaseModel):
    """Limits of a run of a method from elsewhere: wall time in seconds; private memory of each process, and size of
    each file that it writes, in bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    wall_s: float = 3600.0
    memory_bytes: int = 8 * 2**30
    file_bytes: int = 2**30


class Job(BaseModel):
    """Runs of one cell, for one process."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cell: Cell
    runs: tuple[Run, ...]
    suite_version: int
    profile: str
    device: str = "cpu"
    checkpoint_s: float = 30.0  # seconds between checkpoints
    limits: Limits = Limits()  # for a method from elsewhere
    replay_bytes: int = 0  # bound on a task's replay of whole episodes, for one seed; 0: none
    here: str = ""  # the folder that bench was called from, where such a method is looked up; "": the current one

    def record(
        self,
        run: Run,
        teachers: tuple[TeacherRef, ...],
        numbers: Numbers,
        reason: str,
        provenance: Provenance,
        remarks: Iterable[str] = (),
    ) -> Record:
        """reason: why the run failed; "" if it finished. remarks: those of a method from elsewhere."""
        return Record(
            run=run.id,
            cell=self.cell.key,
            suite=self.cell.suite,
            suite_version=self.suite_version,
            experiment=self.cell.experiment,
            method=self.cell.method,
            training_set=self.cell.training_set,
            profile=self.profile,
            seed=run.seed,
            settings=self.cell.settings,
            teachers=teachers,
            notes=self.cell.notes,
            status="failed" if reason else "finished",
            reason=reason,
            numbers=numbers,
            provenance=provenance,
            remarks=tuple(remarks),
        )
