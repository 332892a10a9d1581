"""A paper against its own tables: what follows from the printed numbers, and whether it does. Nothing is run.

A number stands for every true value that rounds to it (`rounding`). Derivations and claims are declared in the suite
file; nothing in it is ever evaluated as code.
"""

from __future__ import annotations

from bench.audit.claims import claims
from bench.audit.findings import HOLDS, Finding
from bench.audit.tables import bold_marks, derived_values, possible_spreads, repeated_values
from bench.suite import Suite

__all__ = ["HOLDS", "Finding", "audit"]


def audit(suite: Suite) -> list[Finding]:
    """Derived values, repeated values, spreads, bold marks and claims, in the file's order within each kind."""
    return [
        *derived_values(suite),
        *repeated_values(suite),
        *possible_spreads(suite),
        *bold_marks(suite),
        *claims(suite),
    ]
