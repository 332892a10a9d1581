"""Scores for other people's tools, and scores from them: marl-eval JSON, rliable matrices, CSV. See docs/formats.md."""

from __future__ import annotations

from pathlib import Path

from bench.suite.explain import Problem, told


class ExchangeError(Exception):
    """A selection that a format cannot hold, or a file that is not what it should be. One message for all problems."""

    def __init__(self, source: str | Path, problems: list[Problem]):
        self.source, self.problems = str(source), problems
        super().__init__(told(source, problems))
