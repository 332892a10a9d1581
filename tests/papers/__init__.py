"""The papers' tables, typed a second time by hand, to check the suite files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Cell:
    """One printed cell under the paper's own names. place: the row's, from 1; a name may occur in several rows."""

    table: str
    place: int
    row: str
    column: str
    text: str
    bold: bool

    @property
    def name(self) -> str:
        return f"{self.table}, row {self.place} ({self.row}), {self.column}"


def transcribed(paper: str) -> list[Cell]:
    """Every cell of PAPER.txt: blocks of a table's name, its header, its rows; a star after a cell is bold print."""
    lines = [line for line in (HERE / f"{paper}.txt").read_text().split("\n") if not line.startswith("#")]
    blocks = [block.split("\n") for block in "\n".join(lines).strip().split("\n\n")]
    cells = []
    for table, header, *rows in blocks:
        _, *columns = map(str.strip, header.split("|"))
        for place, line in enumerate(rows, 1):
            row, *texts = map(str.strip, line.split("|"))
            for column, text in zip(columns, texts, strict=True):
                cells.append(Cell(table, place, row, column, text.rstrip("*"), text.endswith("*")))
    return cells
