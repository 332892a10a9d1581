"""The suite files' tables against a second transcription, typed from the papers alone: cell by cell."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping

import pytest

from bench.suite import Printed, Suite
from bench.suite.loading import load
from tests.papers import Cell, transcribed

PTDE = {  # the paper's names -> the suite's
    "CSRL": "csrl",
    "COPA": "copa",
    "QMIX": "qmix",
    "QPLEX": "qplex",
    "QMIX_GIU": "qmix_giu",
    "QMIX_GIP (stage1)": "qmix_gip",
    "QMIX_KD (stage2)": "qmix_kd",
    "VDN": "vdn",
    "VDN_GIU": "vdn_giu",
    "VDN_GIP (stage1)": "vdn_gip",
    "VDN_KD (stage2)": "vdn_kd",
    "MAPPO": "mappo",
    "MAPPO_GIU": "mappo_giu",
    "MAPPO_GIP (stage1)": "mappo_gip",
    "MAPPO_KD (stage2)": "mappo_kd",
    "CTDS (QMIX_Teacher)": "ctds_teacher",
    "CTDS (QMIX_Student)": "ctds_student",
}
PTDE_RETENTION = {  # (table, row) of each PRR -> the suite's table, and whose retention it is
    ("Table 2", 8): ("table-2/prr", "qmix_kd"),
    ("Table 3", 5): ("table-3/prr", "qmix_kd"),
    ("Table 6", 3): ("table-6/prr-ptde", "qmix_kd"),
    ("Table 6", 6): ("table-6/prr-ctds", "ctds_student"),
}
MKT_MARL = {
    "MKT-MARL (ours)": "mkt_marl",
    "MKT-MARL(our)": "mkt_marl",
    "MKT-MARL-VDN": "mkt_marl_vdn",
    "Dec-HDRQN": "dec_hdrqn",
    "QMIX-Multi": "qmix_multi",
    "MAPPO-Multi": "mappo_multi",
    "VDN-Multi": "vdn_multi",
    "QMIX-Teacher": "qmix_teacher",
    "w/o distillation": "qmix_multi",
    "w/o TD learning": "mkt_marl_lambda_0",
    "w/o annealing": "mkt_marl_lambda_0.5",
    "annealing reverse": "mkt_marl_reverse",
}
MKT_MARL_SCENARIOS = {
    "speaker listener": "mpe/speaker_listener",
    "simple push": "mpe/push",
    "simple adversary": "mpe/adversary",
    "Avg. Win Rate (SMAC)": "smac/average",
    "Avg. Score (MPE)": "mpe/average",
}
LAST_ROWS = {3: "5", 5: "6", 8: "8", 11: "10", 23: "8-wide", 25: "27"}  # of Table I's groups
COUNTS = {
    "ptde": {"Table 2": 42 + 6, "Table 3": 20 + 5, "Table 4": 8, "Table 5": 8, "Table 6": 12 + 6},
    "mkt_marl": {"Table I": 150, "Table II": 18, "Table IV": 12, "Table V": 30, "Table VI": 9},
}


def ptde_id(cell: Cell) -> str:
    name, _, _ = cell.column.partition(" (")  # of a budget
    family = "grf" if cell.table == "Table 3" else "smac"
    scenario = f"{family}/{name.replace('_w_keeper', '_with_keeper')}"
    numbered = f"table-{cell.table.removeprefix('Table ')}"
    table, method = PTDE_RETENTION.get((cell.table, cell.place)) or (numbered, PTDE[cell.row])
    return f"{table}/{scenario}/{method}"


def mkt_marl_id(cell: Cell) -> str:
    by_method = cell.table in ("Table IV", "Table VI")  # rows are methods
    place, method = (cell.column, cell.row) if by_method else (cell.row, cell.column)
    scenario = MKT_MARL_SCENARIOS.get(place) or f"smac/{place.partition(' (')[0]}"
    table = {"Table II": "table-2", "Table V": "table-5", "Table VI": "table-6"}.get(cell.table)
    if cell.table == "Table I":
        table = "table-1/" + LAST_ROWS[min(last for last in LAST_ROWS if cell.place <= last)]
    if cell.table == "Table IV":
        table = f"table-4/{scenario.partition('/')[0]}"
    return f"{table}/{scenario}/{MKT_MARL[method]}"


IDS = {"ptde": ptde_id, "mkt_marl": mkt_marl_id}


def differences(suite: str, printed: Mapping[str, Printed]) -> list[str]:
    """Every cell in which a suite and the second transcription differ, by its place in the paper."""
    cells = {IDS[suite](cell): cell for cell in transcribed(suite)}
    found = [f"{cells[id_].name}: not in the suite" for id_ in cells.keys() - printed.keys()]
    found += [f"{id_}: not in the paper" for id_ in printed.keys() - cells.keys()]
    for id_ in cells.keys() & printed.keys():
        cell, value = cells[id_], printed[id_]
        if (cell.text, cell.bold) != (value.text, value.bold):
            here, there = (("**{}**" if bold else "{}").format(text) for text, bold in _both(cell, value))
            found.append(f"{cell.name}: the paper prints {here}, the suite has {there}")
    return sorted(found)


def _both(cell: Cell, value: Printed) -> list[tuple[str, bool]]:
    return [(cell.text, cell.bold), (value.text, value.bold)]


def by_id(suite: Suite) -> dict[str, Printed]:
    found = {value.id: value for value in suite.printed}
    assert len(found) == len(suite.printed), "an id names two values"
    return found


@pytest.mark.parametrize("suite", IDS)
def test_every_cell_is_the_papers(suite: str) -> None:
    """The text as printed, down to trailing zeros: 0.9 is not 0.90; spreads, dashes, percent signs and bold marks."""
    assert not differences(suite, by_id(load(suite)))


@pytest.mark.parametrize("suite", IDS)
def test_as_many_cells_as_the_tables_have(suite: str) -> None:
    assert Counter(cell.table for cell in transcribed(suite)) == COUNTS[suite]
    ids = [IDS[suite](cell) for cell in transcribed(suite)]
    assert len({*ids}) == len(ids)
    assert len(load(suite).printed) == sum(COUNTS[suite].values())


def test_326_values_in_all() -> None:
    assert sum(len(load(suite).printed) for suite in IDS) == 326


@pytest.mark.parametrize("suite", IDS)
def test_numbers_spreads_and_dashes_are_what_the_text_says(suite: str) -> None:
    """Read from the transcribed text in another way than by the suite's own parser."""
    printed = by_id(load(suite))
    for cell in transcribed(suite):
        value = printed[IDS[suite](cell)]
        number, _, behind = cell.text.partition("±")
        spread = float(behind) if behind else None
        assert (float(value.spread) if value.spread is not None else None) == spread, cell.name
        expected = None if number == "-" else float(number.removesuffix("%"))
        assert (float(value.value) if value.value is not None else None) == expected, cell.name
        assert value.unit == ("%" if number.endswith("%") else ""), cell.name


def test_ptde_budgets_are_those_of_the_headers() -> None:
    """Without a header's budget: Table 3, Sec. 4.2; Table 6, the same runs as in Table 2."""
    printed = by_id(load("ptde"))
    steps = {"5m_vs_6m": "2,000,000 steps", "6h_vs_8z": "5,000,000 steps"}
    for cell in transcribed("ptde"):
        name, _, header = cell.column.partition(" (")
        expected = f"{header.rstrip(')')} steps" if header else steps.get(name, "10,000,000 steps")
        assert printed[ptde_id(cell)].budget == expected, cell.name


def test_the_second_8m_is_told_apart_by_its_group() -> None:
    printed = load("mkt_marl").printed
    found = [(v.group, v.text) for v in printed if (v.scenario, v.method) == ("smac/8m", "mkt_marl")]
    assert found == [("smac/8", "1.0"), ("smac/8-wide", "0.99")]


def test_a_cell_that_differs_is_named() -> None:
    printed = by_id(load("mkt_marl"))
    wrong = printed["table-1/8-wide/smac/8m/mappo_multi"]
    printed[wrong.id] = dataclasses.replace(wrong, text="0.98", bold=True)
    del printed["table-6/smac/3m/vdn_multi"]
    assert differences("mkt_marl", printed) == [
        "Table I, row 12 (8m), MAPPO-Multi: the paper prints 0.89, the suite has **0.98**",
        "Table VI, row 2 (VDN-Multi), 3m: not in the suite",
    ]
