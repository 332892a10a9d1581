"""A paper against its own tables, and against its authors' code: what follows from print. Nothing is run.

A number stands for every true value that rounds to it (`rounding`). Derivations and claims are declared in the suite
file; nothing in it is ever evaluated as code.
"""

from __future__ import annotations

from functools import partial

from bench.audit.claims import claims
from bench.audit.findings import HOLDS, Finding
from bench.audit.tables import bold_marks, derived_values, possible_spreads, repeated_values
from bench.suite import Conflict, Suite

__all__ = ["HOLDS", "Finding", "audit"]


def audit(suite: Suite) -> list[Finding]:
    """Derived and repeated values, spreads, bold marks, claims, conflicts: in the file's order within each kind."""
    return [
        *derived_values(suite),
        *repeated_values(suite),
        *possible_spreads(suite),
        *bold_marks(suite),
        *claims(suite),
        *map(partial(_conflict, suite), suite.conflict),
    ]


def _conflict(suite: Suite, found: Conflict) -> Finding:
    """A conflict: the authors' code does otherwise than the paper says. The place in the code stands as a cell."""
    cells = (found.code, *found.keys)
    return Finding(suite.id, found.where, found.id, found.says, None, None, "conflict", None, cells)
