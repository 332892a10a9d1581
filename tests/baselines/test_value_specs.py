"""The suites' hyperparameters of value decomposition and of MAPPO fit the learners."""

from __future__ import annotations

import tomllib

import pytest

from baselines.specs import ALGORITHMS, MKTMARL, MultiTaskMAPPO, MultiTaskQMIX, TaskSizes, Work
from baselines.specs.base import Network
from bench.suite import Suite
from tests.conftest import ROOT
from tests.teams import distilling, several, single

TASK = TaskSizes(agents=2, observation=3, actions=4, steps=2)
METHODS = ["qmix_teacher", "qmix_multi", "vdn_multi", "mkt_marl", "mkt_marl_lambda_0", "mkt_marl_lambda_0.5"]


def written() -> Suite:
    """The suite as it is written, whether or not its experiments can run."""
    return Suite.model_validate(tomllib.loads((ROOT / "suites" / "mkt_marl.toml").read_text("utf-8")))


@pytest.mark.parametrize("method", [*METHODS, "mkt_marl_reverse", "mkt_marl_vdn"])
def test_the_suite_states_every_value_that_a_learner_needs(method):
    suite = written()
    model = ALGORITHMS[suite["method", method].algorithm].hyperparameters
    values = model.model_validate({name: setting.value for name, setting in suite.settings(method).items()})
    assert values.round_episodes == 1


def test_mappo_multi_plays_ten_episodes_of_a_task_between_updates():
    suite = written()
    model = ALGORITHMS[suite["method", "mappo_multi"].algorithm].hyperparameters
    values = model.model_validate({name: setting.value for name, setting in suite.settings("mappo_multi").items()})
    assert (model, values.round_episodes) == (MultiTaskMAPPO, 10)


def test_the_variants_differ_where_the_paper_says():
    suite = written()

    def values(method: str) -> MKTMARL:
        return MKTMARL.model_validate({name: setting.value for name, setting in suite.settings(method).items()})

    own = values("mkt_marl").model_dump()
    for method, changed in (
        ("mkt_marl_lambda_0", (0, 0)),
        ("mkt_marl_lambda_0.5", (0.5, 0.5)),
        ("mkt_marl_reverse", (0.95, 0.1)),
    ):
        other = values(method).model_dump()
        assert (other["lambda_start"], other["lambda_end"]) == changed
        assert {n for n in own if own[n] != other[n]} <= {"lambda_start", "lambda_end", "lambda_schedule"}
    assert values("mkt_marl_vdn").mixer == "vdn"


def test_an_update_costs_its_products():
    """By hand: 3 steps of 2 episodes, 2 agents, 3 observations and 4 actions, ids among the inputs; 4 passes, 2 an
    operation pair. VDN, widths 16: (5 + 4) * 16 + 16^2 = 400 an agent. Updates: from the 2nd episode to the 10th.
    """
    vdn = single("vdn", batch_size=2, update_episodes=1, replay_size=8)
    assert vdn.work(TASK, 10).operations == 9 * 2 * 4 * (3 * 2) * 2 * 400
    assert vdn.work(TASK, 1).operations == 0
    assert vdn.work(TASK, 10).bytes == 8 * 3 * (2 * (12 + 4 + 2) + 5) + 16 * 400
    qmix = single("qmix", batch_size=2, update_episodes=1, replay_size=8)
    mixing = 2 * 6 * 8 + 8 * (3 * 8) + (2 * 6 + 1) * 8  # |W1| and |w_final| by 8 units; b1; V
    assert qmix.work(TASK, 10).operations == 9 * 2 * 4 * (3 * 2) * (2 * 400 + mixing)


def test_a_multi_task_update_costs_its_embeddings_too():
    """E_k 5 x 12, F 12 x 16 and 16 x 16, EA_k 16 x 4; SE_k 6 x 6 and the mixer on it."""
    h = several(batch_size=2, update_episodes=1)
    agent, mixing = 5 * 12 + 12 * 16 + 16 * 16 + 16 * 4, 6 * 6 + 2 * 6 * 8 + 8 * 24 + 13 * 8
    assert h.work(TASK, 10).operations == 9 * 2 * 4 * 6 * (2 * agent + mixing)
    assert isinstance(h, MultiTaskQMIX)
    teacher = 9 * 2 * 6 * 2 * agent  # reads every batch once
    taught = distilling(batch_size=2, update_episodes=1)
    assert taught.work(TASK, 10).operations == h.work(TASK, 10).operations + teacher


def test_samples_and_copies_are_counted() -> None:
    work = Work((Network(10, forward=6, learned=2, copies=3), Network(5, forward=1)), updates=4.0, stored=7.0)
    assert work.samples == 4 * (6 + 3 * 2 + 1)
    assert work.operations == 2 * 4 * (10 * 12 + 5)
    assert work.bytes == 4 * 7 + 16 * (3 * 10 + 5)
