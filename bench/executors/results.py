"""A worker's result for an ended run: its record and its policy. Only the dispatcher writes them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from bench.plan import Cell, Run, digest
from bench.store import Record, sha256


class NoResult(Exception):
    """A worker sent something that is not the result of one of its runs."""


def packed(record: Record, weights: bytes | None) -> dict[str, Any]:
    """An event that JSON can hold. weights: a safetensors file's bytes; None if there are none."""
    text = None if weights is None else base64.b64encode(weights).decode()
    return {"event": "result", "run": record.run, "record": record.model_dump(mode="json"), "weights": text}


def unpacked(event: dict[str, Any], cell: Cell, runs: Collection[Run]) -> tuple[Record, bytes | None]:
    """The record and the weights of a run of the cell, checked. runs: those whose results this worker still owes.

    Raises NoResult for a missing record, one of another run or of other settings, and for weights that are missing or
    have another hash.
    """
    try:
        record = Record.model_validate(event["record"])
        weights = None if event["weights"] is None else base64.b64decode(event["weights"], validate=True)
    except (KeyError, TypeError, ValidationError, binascii.Error) as error:
        raise NoResult(f"no record and weights ({type(error).__name__}: {str(error).splitlines()[0]})") from error
    run = next((run for run in runs if run.id == record.run), None)
    if run is None:
        raise NoResult(f"run {record.run}; allowed: {', '.join(run.id for run in runs) or 'none, all have theirs'}")
    taught = tuple(teacher.run for teacher in record.teachers)
    if (record.cell, record.seed, taught) != (run.cell, run.seed, run.teachers):
        raise NoResult(f"run {run.id} with another cell, seed or teacher than the plan's")
    if digest(record.settings) != cell.key:
        raise NoResult(f"run {run.id} with settings that are not its cell's")
    if weights is None and not cell.guest and record.status == "finished":
        raise NoResult(f"run {run.id} without weights")
    if weights is not None and sha256(weights) != record.numbers.weights:
        raise NoResult(f"run {run.id} with other weights than its record names")
    return record, weights
