"""What a verdict rests on: cells, each with a scenario that is read off it, and the deviations that belong to them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bench.envs import FAMILIES, deviates
from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun
from bench.plan import Cell, Note
from bench.suite import Experiment, Place, PolicySize, split

# Whose code gave the numbers: this project's re-implementation, a method from elsewhere that was run here, or a file.
Implementation = Literal["ours", "guest", "imported"]
OF_PLAY = ("substitute", "shared", "reduced")  # classes of deviations that a network's size does not depend on


@dataclass(frozen=True)
class About:
    """parts: cell and scenario; a cell that is read in several scenarios has one part for each.

    of_play: whether anything is read that needed play, and not only the size of networks. games: deviations of the
    games in which runs were played, from their records.
    """

    parts: tuple[tuple[Cell, str], ...]
    of_play: bool = True
    games: tuple[Note, ...] = ()

    @property
    def cells(self) -> list[Cell]:
        return list({cell.key: cell for cell, _ in self.parts}.values())

    @property
    def notes(self) -> tuple[Note, ...]:
        """The deviations of what is read, each once: a substitute that is read itself is not listed again as shared."""
        every = dict.fromkeys(note for cell, scenario in self.parts for note in cell.notes_on(scenario))
        if not self.of_play:
            return tuple(note for note in every if note.class_ not in OF_PLAY)
        own = {note.id for note in every if note.class_ != "shared"}
        return (*(note for note in every if note.class_ != "shared" or note.id not in own), *self.games)

    @property
    def implementation(self) -> Implementation:
        """A suite's own methods are all re-implementations of ours."""
        return "guest" if any(cell.guest for cell in self.cells) else "ours"

    def seeds(self, evidence: Evidence) -> int:
        """How many seeds have finished in the cell with the fewest."""
        return min((len(evidence.finished(cell)) for cell in self.cells), default=0)


def about(
    evidence: Evidence, experiment: Experiment, quantities: Iterable[str], places: Iterable[Place], partial: bool
) -> About:
    """What quantities are read off in some places. partial: leave out what cannot run instead of raising NotRun."""
    parts: dict[tuple[str, str], tuple[Cell, str]] = {}
    named = tuple(quantities)
    for place in places:
        for quantity in named:
            with contextlib.suppress(*([NotRun] if partial else [])):
                found = evidence.parts(experiment, quantity, place)
                parts |= {(cell.key, scenario): (cell, scenario) for cell, scenario in found}
    sizes = {measure.id for measure in evidence.suite.measure if isinstance(measure, PolicySize)}
    of_play = not named or any(split(q)[2] not in sizes for q in named)
    return About(tuple(parts.values()), of_play, games_of(evidence, [cell for cell, _ in parts.values()]))


def games_of(evidence: Evidence, cells: Iterable[Cell]) -> tuple[Note, ...]:
    """A deviation for each game that the papers did not use and that a finished run of these cells was played in."""
    found: dict[str, None] = {}
    for cell in {cell.key: cell for cell in cells}.values():
        families = {own.family for own in cell.scored}
        if not any(FAMILIES[family].installation for family in families):
            continue
        for record in evidence.finished(cell).values():
            found |= dict.fromkeys(filter(None, (deviates(f, record.provenance.packages) for f in families)))
    return tuple(Note(id="game-build", class_="changed", says=says) for says in found)
