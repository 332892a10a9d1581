"""Ensembles of SAC: who plays, who is elected, what a distillation changes and what not; lanes and stops.

Axes: S seed, M member, X student, R recent episode, B batch, O observation entry, A action entry.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines import specs
from baselines.cikd import (
    CIKD,
    Hardcopy,
    critic_loss,
    critics_of,
    others,
    policy_loss,
)
from baselines.ensemble_sac import EnsembleSAC, EnsembleSACExtra, SACExtra, mean_recent
from baselines.learner import Ensemble, Seen, Shared
from baselines.sac import SAC
from baselines.specs.ensemble_sac import minibatches, moments
from tests.baselines.test_sac import ACTIONS, BATCH, OBS, SETTINGS, TASK, WARMUP, Play, reaching, same

FIRST, INTERVAL = 60, 25
ENSEMBLE: dict[str, Any] = {
    "ensemble_size": 3,
    "selection": "uniform",
    "shared_replay": True,
    "updated_members": "all",
    "member_batches": "own",
    "compare_interval": INTERVAL,
    "compare_first": FIRST,
    "return_window": 2,
    "replay_size": 200,
}
DISTILLED: dict[str, Any] = {
    "teacher": "best_recent",
    "distilled": "policy_and_critics",
    "policy_distance": "kl_teacher_student",
    "critic_distance": "mse",
    "critic_inputs": "replay",
    "distill_epochs": 2,
    "distill_pool": "replay",
    "distill_batch_size": BATCH,
    "distill_batches": "consecutive",
    "distill_optimizer": "fresh_adam",
    "distill_lr": 1e-3,
    "student_targets": "one_soft_update",
    "replaces_optimizer": False,
    "returns_after_distillation": "kept",
}
COPIED: dict[str, Any] = {
    "teacher": "best_recent",
    "copied": "policy_and_critics",
    "copies_optimizer": True,
    "student_targets": "kept",
    "returns_after_distillation": "kept",
}
EXTRA: dict[str, Any] = {
    "extra_interval": INTERVAL,
    "extra_first": FIRST,
    "extra_epochs": 2,
    "extra_pool": "replay",
    "extra_batch_size": BATCH,
    "extra_updates": "policy_and_critics",
}
METHODS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "ensemble": (EnsembleSAC, specs.EnsembleSAC, ENSEMBLE),
    "cikd": (CIKD, specs.CIKD, ENSEMBLE | DISTILLED),
    "hardcopy": (Hardcopy, specs.Hardcopy, ENSEMBLE | COPIED),
    "extra": (SACExtra, specs.SACExtra, EXTRA | {"replay_size": 200}),
    "ensemble extra": (EnsembleSACExtra, specs.EnsembleSACExtra, ENSEMBLE | EXTRA | {"extra_members": "all"}),
}


class Playing(Play):
    """A method's `Play`. It compares its members at the right steps, and keeps the results."""

    method = "cikd"

    def _made(self, dtype: torch.dtype, members: int, settings: dict[str, object]) -> SAC:
        learner, spec, own = METHODS[self.method]
        changed = {name: value for name, value in settings.items() if name not in SETTINGS or value != SETTINGS[name]}
        self.shared, self.before = list[Shared](), list[dict[str, Tensor]]()
        return learner([TASK], spec.model_validate(SETTINGS | own | changed), self.streams, "cpu", dtype=dtype)

    def _after_step(self) -> None:
        if isinstance(self.learner, Ensemble) and self.learner.compares(self.done):
            self.before.append(self.learner.state())
            self.shared.append(self.learner.share())


def playing(method: str, *seeds: int, **changed: Any) -> Playing:
    own = type("Own", (Playing,), {"method": method})
    return own(seeds, **changed)


# ---------------------------------------------------------------------------------------------------- when and who


def test_a_budget_of_50_000_steps_has_seven_distillations() -> None:
    """The rule: after transition 15,001, 20,001, ...; an evaluation at 20,000 comes one step before."""
    assert list(moments(15_000, 5_000, 0, 50_000)) == [15_001, 20_001, 25_001, 30_001, 35_001, 40_001, 45_001]
    assert len(moments(15_000, 5_000, 0, 1_000_000)) == 197
    assert [bool(moments(15_000, 5_000, done - 1, done)) for done in (15_000, 15_001, 15_002, 20_000, 20_001)] == [
        False,
        True,
        False,
        False,
        True,
    ]
    total = sum(5 * minibatches(n, 256) for n in moments(15_000, 5_000, 0, 1_000_000))
    assert total == 1_942_590  # of a network that never teaches, as counted in the released code


def test_the_learner_shares_at_these_steps() -> None:
    play = playing("ensemble", 0)
    learner = play.learner
    assert isinstance(learner, Ensemble)
    assert [done for done in range(1, 130) if learner.compares(done)] == [61, 86, 111]
    assert not isinstance(Play((0,)).learner, Ensemble)


def test_the_elected_has_the_highest_mean_and_ties_follow_a_rule() -> None:
    recent = torch.tensor(
        [
            [[1.0, 2.0], [4.0, 0.0], [0.0, 3.0]],  # a mean over what there is
            [[0.0, 5.0], [5.0, 5.0], [5.0, 5.0]],  # of equals the first
            [[0.0, 0.0], [-9.0, -9.0], [0.0, -9.5]],  # without an episode: not while another has one
            [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]],  # nobody has any: the first
        ],
        dtype=torch.float64,
    )
    finished = torch.tensor([[2, 7, 1], [1, 2, 3], [0, 2, 1], [0, 0, 0]])
    assert mean_recent(recent, finished).argmax(-1).tolist() == [2, 0, 1, 0]


def test_recent_returns_are_those_of_who_played() -> None:
    """By plain bookkeeping of every step."""
    play = playing("ensemble", 4)
    assert isinstance(play.learner, EnsembleSAC)
    recent: list[list[float]] = [[], [], []]
    actors = set[int]()
    for _ in range(120):
        play.steps(1)
        member = int(play.learner.state()["members.acting"][0])
        actors.add(member)
        if play.age == 0:
            stored = play.learner.replay.rows(0, 0, play.done)
            ends = [-1, *stored["ended"].nonzero().flatten().tolist()]
            recent[member].append(float(stored["rewards"][ends[-2] + 1 : ends[-1] + 1].double().sum()))
    assert actors == {0, 1, 2}
    found = play.learner.state()["members.recent"][0]
    for member in range(3):
        assert found[member].tolist() == pytest.approx(recent[member][-2:], rel=1e-6)
    means = [np.mean(own[-2:]) for own in recent]
    assert int(play.learner.elected()[0]) == int(np.argmax(means))


def test_members_play_whole_episodes_equally_often() -> None:
    play = playing("ensemble", *range(40), warmup_transitions=200, compare_first=200)
    played = []
    for _ in range(70):
        before = play.learner.state()["members.acting"]
        age = play.age
        play.steps(1)
        now = play.learner.state()["members.acting"]
        if age:
            assert torch.equal(now, before)
        else:
            played.append(now)
    counts = np.bincount(torch.cat(played).numpy(), minlength=3)
    assert counts.sum() > 400
    assert (abs(counts / counts.sum() - 1 / 3) < 0.06).all()


# ------------------------------------------------------------------------------------------------ a distillation


def outputs(learner: SAC, member: int, obs: Tensor, actions: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """A member's Gaussians [1, 1, A, B], values [1, 1, 2, B] for observations [B, O] and actions [B, A]."""
    state = learner.state()
    actor, critic = (
        {n.removeprefix(f"{kind}."): p for n, p in state.items() if n.startswith(f"{kind}.")}
        for kind in ("actor", "critic")
    )
    own = {n: p[:, member : member + 1] for n, p in actor.items()}
    pair = {n: p[:, 2 * member : 2 * member + 2] for n, p in critic.items()}
    return learner._gaussian(own, obs.T[None, None]), learner._values(pair, obs[None, None], actions[None, None])


def test_a_distillation_teaches_all_but_the_teacher_on_states_it_did_not_see() -> None:
    play = playing("cikd", 1, distill_epochs=300)
    play.steps(FIRST)
    learner, fresh = play.learner, torch.Generator().manual_seed(9)
    stored = learner.replay.rows(0, 0, FIRST)
    obs = stored["obs"].roll(1, 0)[:32] + 0.02 * torch.randn(32, OBS, generator=fresh)
    actions = stored["actions"][:32]
    before = [outputs(learner, m, obs, actions) for m in range(3)]
    play.steps(1)
    (shared,), (state,), after = play.shared, play.before, learner.state()
    assert shared.teacher is not None
    teacher = int(shared.teacher[0])
    assert teacher == int(shared.elected[0])
    students = others(shared.teacher, 3)
    now = [outputs(learner, m, obs, actions) for m in range(3)]
    for name, tensor in state.items():
        kind, size = name.partition(".")[0], {"actor": 1, "critic": 2, "target": 2}
        if kind in size:
            own = slice(size[kind] * teacher, size[kind] * (teacher + 1))
            assert torch.equal(after[name][:, own], tensor[:, own]), f"the teacher's {name} moved"
        elif name.startswith(("adam", "temperature", "members")):
            assert torch.equal(after[name], tensor), f"{name} is not left alone"
    for student in students[0].tolist():
        gaussians = [before[student][0], now[student][0]]
        kl = [policy_loss(now[teacher][0], own).item() for own in gaussians]
        assert kl[1] < 0.1 * kl[0]
        mse = [critic_loss(now[teacher][1], own[student][1]).mean().item() for own in (before, now)]
        assert mse[1] < 0.1 * mse[0]
        for n in (2 * student, 2 * student + 1):  # one soft update
            moved = 0.95 * state["target.weight_1"][0, n] + 0.05 * after["critic.weight_1"][0, n]
            assert torch.allclose(after["target.weight_1"][0, n], moved, atol=1e-7)
    assert {*shared.losses} == {"distill_policy", "distill_critic"}


def test_what_is_not_distilled_does_not_change() -> None:
    for distilled, kept in (("policy", "critic"), ("critics", "actor")):
        play = playing("cikd", 1, distilled=distilled).steps(FIRST + 1)
        state, after = play.before[0], play.learner.state()
        changed = {n.partition(".")[0] for n in state if not torch.equal(state[n], after[n])}
        assert changed == {"actor", "critic", "target"} - {kept}
        assert {*play.shared[0].losses} == {"distill_policy" if distilled == "policy" else "distill_critic"}


def test_hard_targets_are_the_taught_critics() -> None:
    play = playing("cikd", 1, student_targets="copied").steps(FIRST + 1)
    state, (shared,) = play.learner.state(), play.shared
    assert shared.teacher is not None
    places = critics_of(others(shared.teacher, 3))[0]
    assert torch.equal(state["target.weight_0"][0, places], state["critic.weight_0"][0, places])


def test_students_that_forget_start_anew_but_for_targets_and_temperature() -> None:
    """They keep nothing of what they knew: two that differ only in their networks become alike."""
    runs = [playing("cikd", 1, reset="policy_and_critics").steps(FIRST) for _ in (0, 1)]
    learner = runs[0].learner
    assert isinstance(learner, CIKD)
    students = others(learner.elected(), 3)
    runs[1].learner._actor["weight_1"].detach()[0, students[0]] += 1
    first, second = (run.steps(1).learner.state()["actor.weight_1"][0] for run in runs)
    for student in students[0].tolist():
        assert (first[student] - second[student]).abs().max() < 0.9
    plain = playing("cikd", 1).steps(FIRST + 1).learner.state()
    assert not torch.allclose(plain["actor.weight_1"][0], first, atol=0.05)
    assert torch.equal(plain["temperature.log"][0], runs[0].learner.state()["temperature.log"][0])


def test_a_random_teacher_may_be_anyone() -> None:
    play = playing("cikd", *range(60), teacher="random", distill_epochs=1).steps(FIRST + 1)
    (shared,) = play.shared
    assert shared.teacher is not None
    counts = torch.bincount(shared.teacher, minlength=3)
    assert counts.min() >= 9
    assert not torch.equal(shared.teacher, shared.elected)


def test_students_go_on_with_the_distillation_s_optimiser_under_that_reading() -> None:
    play = playing("cikd", 1, replaces_optimizer=True).steps(FIRST + 1)
    (state,), after, (shared,) = play.before, play.learner.state(), play.shared
    assert shared.teacher is not None
    teacher = int(shared.teacher[0])
    students = others(shared.teacher, 3)[0].tolist()
    updates = 2 * minibatches(FIRST + 1, BATCH)
    for member in range(3):
        taught = member in students
        assert after["adam_actor.lr"][0, member].item() == (1e-3 if taught else 3e-3)
        assert after["adam_actor.step"][0, member].item() == (updates if taught else FIRST + 2 - WARMUP)
        same_moments = torch.equal(
            after["adam_actor.exp_avg.weight_0"][0, member], state["adam_actor.exp_avg.weight_0"][0, member]
        )
        assert same_moments is not taught
    assert after["adam_critic.lr"][0, 2 * teacher].item() == 3e-3
    play.steps(1)
    assert play.learner.state()["adam_actor.step"][0, students[0]].item() == updates + 1


def test_without_a_distillation_members_that_count_their_own_steps_learn_as_others() -> None:
    theirs, ours = (playing("cikd", 1, replaces_optimizer=own).steps(FIRST).learner.state() for own in (False, True))
    for name in ("actor.weight_1", "critic.weight_1", "adam_actor.exp_avg.bias_0"):
        assert torch.allclose(ours[name], theirs[name], atol=1e-6), name


def test_after_hardcopy_parameters_and_moments_are_equal_and_targets_are_not() -> None:
    play = playing("hardcopy", 1, 2).steps(FIRST + 1)
    state = play.learner.state()
    for seed in (0, 1):
        for name, tensor in state.items():
            kind = name.partition(".")[0]
            if tensor.dim() < 3 or kind == "members":
                continue
            own = [tensor[seed][m::2] for m in (0, 1)] if "critic" in kind or kind == "target" else [tensor[seed]]
            alike = all(torch.equal(x[0], x[m]) for x in own for m in (1, 2))
            assert alike is (kind != "target"), name
        assert len({*state["temperature.log"][seed].tolist()}) == 3


# ------------------------------------------------------------------------------------------------- lanes and stops

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in METHODS},
    "replaced": ("cikd", {"replaces_optimizer": True}),
    "random": ("cikd", {"teacher": "random", "reset": "policy_and_critics", "ensemble_size": 2}),
    "policy": ("extra", {"extra_updates": "policy_and_temperature"}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_seed_s_numbers_depend_neither_on_company_nor_on_stops(variant: str) -> None:
    """Over two distillations, or their counterparts; stopped inside an episode between the two."""
    method, changed = VARIANTS[variant]
    end, middle = FIRST + INTERVAL + 8, FIRST + 10
    alone = playing(method, 3, **changed).steps(end)
    company = playing(method, 1, 3, 2, **changed).steps(end)
    same(company.lane(1), alone.lane(0))
    left, again = playing(method, 1, 3, 2, **changed).steps(middle), playing(method, 3, **changed)
    again.learner.load_state({name: tensor[1:2] for name, tensor in left.learner.state().items()})
    again.streams[0].load_state(left.streams[1].state())
    again.learner.replay.restore(0, 0, left.learner.replay.rows(1, 0, middle))
    again.done, again.age, again.obs = left.done, left.age, left.obs[1:2]
    again.losses = [{name: loss[1:2] for name, loss in losses.items()} for losses in left.losses]
    same(again.steps(end - middle).lane(0), alone.lane(0))


def test_an_ensemble_that_never_shares_is_sac_s_members_side_by_side() -> None:
    """Before the first distillation SAC-CIKD is Ensemble-SAC, to the last bit."""
    ensemble, cikd, copying = (playing(m, 5).steps(FIRST).lane(0) for m in ("ensemble", "cikd", "hardcopy"))
    same(cikd, ensemble)
    same(copying, ensemble)


def test_members_act_by_their_own_policy() -> None:
    play = playing("ensemble", 0, 1).steps(WARMUP + 5)
    learner = play.learner
    assert isinstance(learner, EnsembleSAC)
    obs = torch.randn(2, 6, 1, OBS)
    seen = Seen(obs, torch.ones(2, 6, 1, ACTIONS), torch.ones(2, 6))
    own = [learner.member_greedy(0, m)(seen) for m in range(3)]
    assert not any(torch.allclose(own[0], other) for other in own[1:])
    elected = learner.elected()
    for seed in (0, 1):
        assert torch.equal(learner.greedy(0)(seen)[seed], own[int(elected[seed])][seed])
    assert {len(p[0]) for p in learner.policy().values()} == {3}


def test_settings_that_do_not_fit_are_refused() -> None:
    for method, changed, says in (
        ("cikd", {"compare_first": 30}, "at least warmup_transitions = 40"),
        ("cikd", {"distill_batch_size": 64}, "at least distill_batch_size = 64"),
        ("extra", {"extra_first": 30}, "at least warmup_transitions = 40"),
        ("ensemble", {"ensemble_size": 1}, "greater than or equal to 2"),
    ):
        with pytest.raises(ValueError, match=says):
            playing(method, 0, **changed)


def test_it_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(tasks: Any, settings: specs.SAC, *others: Any) -> CIKD:
        own = settings.model_dump() | ENSEMBLE | DISTILLED | {"compare_first": 100, "compare_interval": 100}
        return CIKD(tasks, specs.CIKD.model_validate(own | {"replay_size": 1000}), *others)

    assert reaching(made, share=True) > -0.1
