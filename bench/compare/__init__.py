"""A method from elsewhere against a suite's own: which runs that takes, and what they show. No torch, no verdicts."""

from bench.compare.entrants import entrants
from bench.compare.imported import ImportedComparison, imported_comparison
from bench.compare.places import Contest, Entry, entry
from bench.compare.statistics import Comparison, compared

__all__ = [
    "Comparison",
    "Contest",
    "Entry",
    "ImportedComparison",
    "compared",
    "entrants",
    "entry",
    "imported_comparison",
]
