"""A method from elsewhere against a suite's own: what their runs show. No torch, no verdicts."""

from bench.compare.imported import ImportedComparison, imported_comparison
from bench.compare.statistics import Comparison, compared

__all__ = ["Comparison", "ImportedComparison", "compared", "imported_comparison"]
