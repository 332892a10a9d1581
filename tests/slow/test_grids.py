"""The tests that `tox run -e test` makes on a few cases, here on the others, or on all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.plan import Cell, Selection, make_plan
from bench.store import Store
from bench.suite import Suite
from tests.baselines.test_lanes import SETTINGS, nor_at_other_sizes_with
from tests.baselines.test_value_lanes import MADE_OF, MPE, WIDE, Sizes, one_update_is_the_same
from tests.compare import test_forgers, test_learners
from tests.compare.conftest import Played, described, played
from tests.compare.test_guide import example_runs
from tests.nightly.test_sabotage import (
    CHANGES,
    TRIED,
    TRIED_UNKNOWN,
    UNKNOWN,
    Check,
    bisect_names,
    caught_and_named,
    changed,
    changed_package_is_named,
    seen_by_an_unknown_class,
    work,
)
from tests.test_resume import cells, same_after_stops, whole
from tests.test_run import made_again, one_and_two_processes, together

__all__ = ["changed", "described", "played", "together", "whole", "work"]  # fixtures


@pytest.mark.parametrize("change", sorted({*CHANGES} - {*TRIED}))
def test_a_change_of_code_is_caught_and_named(change: str, changed: Check) -> None:
    caught_and_named(change, changed)


@pytest.mark.parametrize("change", sorted({*UNKNOWN} - {*TRIED_UNKNOWN}))
def test_an_unknown_class_still_sees_large_changes(change: str, changed: Check) -> None:
    seen_by_an_unknown_class(change, changed)


def test_a_changed_package_is_named_and_fails_nothing_by_itself(work: Path, tmp_path: Path) -> None:
    changed_package_is_named(work, tmp_path)


def test_git_bisect_names_the_commit(work: Path, tmp_path: Path) -> None:
    bisect_names(bad=5, commits=7, work=work, tmp_path=tmp_path)


@pytest.mark.parametrize("setting", SETTINGS)
def test_seeds_do_not_depend_on_company_where_the_two_libraries_differ(setting: str) -> None:
    nor_at_other_sizes_with(setting, "mse or ce or kl")


@pytest.mark.parametrize("sizes", [MPE, WIDE], ids=["mpe", "wide"])
@pytest.mark.parametrize(("network", "mixing"), MADE_OF)
def test_one_update_in_float64_is_the_same_in_any_company(network: str, mixing: str, sizes: Sizes) -> None:
    one_update_is_the_same(network, mixing, sizes, torch.float64)


def test_a_forger_s_numbers_are_those_of_its_play(played: Played) -> None:
    test_forgers.forge_in_vain(test_forgers.MORE_FORGERS, played)


@pytest.mark.parametrize("name", test_forgers.IN_SLOW)
def test_what_is_no_move_ends_the_run(name: str, played: Played) -> None:
    test_forgers.no_move_ends(name, played)


@pytest.mark.parametrize("name", test_learners.IN_SLOW)
def test_its_end_is_a_record(name: str, played: Played) -> None:
    test_learners.ends_as_a_record(name, played)


def test_independent_ppo_runs(played: Played) -> None:
    example_runs("ippo", played)


@cells(in_slow=True)
def test_stopped_and_resumed_in_other_company_is_the_same(cell: Cell, whole: Store, tmp_path: Path) -> None:
    same_after_stops(cell, whole, tmp_path)


def test_one_and_two_processes_are_the_same(
    tiny: Suite, together: tuple[Store, dict[str, str]], tmp_path: Path
) -> None:
    one_and_two_processes(make_plan(tiny, Selection(seeds=(0, 1))), together[1], tmp_path)


def test_a_teacher_whose_weights_are_gone_is_made_again(tiny: Suite, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    made_again(tiny, tmp_path, "gone")
