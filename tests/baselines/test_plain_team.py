"""The stacked learners of Q_tot against a plain loop: torch.nn modules, one Adam, one seed, step by step in float64.

Axes: B batch of episodes, T time step, N agent, O observation entry, A action.
"""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from baselines.learner import Rollout, Task
from baselines.mkt_marl import mkt_marl
from baselines.qmix import qmix
from baselines.qmix_multi import qmix_multi
from baselines.replay.episodes import played
from baselines.streams import Streams
from tests.teams import TeamRun, distilling, several, single, started, taught, toy_task


def stack(weights: dict[str, Tensor]) -> nn.Sequential:
    """An MLP of one seed's weight_0, bias_0, weight_1, ..."""
    layers: list[nn.Module] = []
    for i in range(len(weights) // 2):
        linear = nn.Linear(weights[f"weight_{i}"].shape[1], len(weights[f"weight_{i}"]), dtype=torch.float64)
        linear.load_state_dict({"weight": weights[f"weight_{i}"], "bias": weights[f"bias_{i}"]})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def own(state: dict[str, Tensor], prefix: str, s: int) -> dict[str, Tensor]:
    return {n.removeprefix(prefix + "."): x[s] for n, x in state.items() if n.startswith(prefix + ".")}


class Agent(nn.Module):
    """MLP, or Linear - ReLU - GRU - Linear where the weights have a GRU's names."""

    def __init__(self, weights: dict[str, Tensor]):
        super().__init__()
        self.recurrent = "gru.weight_ih" in weights
        named = {"whole": weights}
        if self.recurrent:
            named = {
                p: {n.removeprefix(p + "."): x for n, x in weights.items() if n.startswith(p + ".")}
                for p in ("in", "gru", "out")
            }
            cell = named.pop("gru")
            self.gru = nn.GRUCell(cell["weight_ih"].shape[1], cell["weight_hh"].shape[1], dtype=torch.float64)
            self.gru.load_state_dict(cell)
        self.mlps = nn.ModuleDict({name: stack(part) for name, part in named.items()})

    def forward(self, inputs: Tensor) -> Tensor:
        """Q [T, A] of one agent's inputs [T, I], in one episode."""
        if not self.recurrent:
            return self.mlps["whole"](inputs)
        hidden, q = torch.zeros(1, self.gru.hidden_size, dtype=torch.float64), []
        for x in inputs:
            hidden = self.gru(torch.relu(self.mlps["in"](x.unsqueeze(0))), hidden)
            q.append(self.mlps["out"](hidden)[0])
        return torch.stack(q)


class Mixing(nn.Module):
    """QMIX's mixer as in the paper, or a sum."""

    def __init__(self, weights: dict[str, Tensor], agents: int):
        super().__init__()
        names = {name.split(".")[0] for name in weights}
        parts = {
            n: stack({k.removeprefix(n + "."): x for k, x in weights.items() if k.startswith(n + ".")}) for n in names
        }
        self.hypernets, self.agents = nn.ModuleDict(parts), agents

    def forward(self, q: Tensor, state: Tensor) -> Tensor:
        """q [N], state [X] -> a number."""
        if not self.hypernets:
            return q.sum()
        w_1, b_1, w_final, v = (self.hypernets[n](state) for n in ("hyper_w_1", "hyper_b_1", "hyper_w_final", "V"))
        hidden = nn.functional.elu(q @ w_1.abs().view(self.agents, -1) + b_1)
        return hidden @ w_final.abs() + v[0]


class PlainTeam(nn.Module):
    """One seed of a learner on one task: a copy of its networks, its own ring and its own random numbers."""

    def __init__(self, run: TeamRun, s: int):
        super().__init__()
        learner = run.learner
        self.h, self.task, self.s = learner.hyperparameters, learner.tasks[0], s
        self.online = self.networks(learner.state())
        self.target = deepcopy(self.online)
        self.adam = torch.optim.Adam(self.online.parameters(), lr=self.h.lr)
        self.stream = Streams(run.streams[s].seed)["replay"]
        self.ring: list[dict[str, Tensor]] = []
        self.running = (0.0, 1.0, 1e-4)  # mean, variance and weight of the rewards seen
        self.updates = 0

    def networks(self, state: dict[str, Tensor]) -> nn.ModuleDict:
        mixing = Mixing(own(state, "online.mixer", self.s), self.task.agents)
        return nn.ModuleDict({"agent": Agent(own(state, "online.agent", self.s)), "mixer": mixing})

    def agent(self, networks: nn.ModuleDict, inputs: Tensor) -> Tensor:
        return networks["agent"](inputs)

    def mixed(self, networks: nn.ModuleDict, q: Tensor, state: Tensor) -> Tensor:
        return networks["mixer"](q, state)

    def store(self, rollout: Rollout) -> None:
        for e in range(rollout.obs.shape[1]):
            episode = {name: x[self.s, e] for name, x in vars(rollout).items() if x is not None}
            episode["at"] = torch.tensor(len(self.ring))
            self.ring.append(episode)

    def sampled(self) -> list[dict[str, Tensor]]:
        """The ring holds the last episodes, at their number modulo its size."""
        size = min(self.h.replay_size, self.task.episodes)
        places = {int(e["at"]) % size: e for e in self.ring}
        drawn = torch.randperm(len(places), generator=self.stream)[: self.h.batch_size]
        return [places[i] for i in drawn.tolist()]

    def q_values(self, networks: nn.ModuleDict, episode: dict[str, Tensor]) -> Tensor:
        """[T+1, N, A]."""
        steps, agents = episode["obs"].shape[:2]
        lines = []
        for n in range(agents):
            inputs = [episode["obs"][:, n].double()]
            if self.h.obs_last_action:
                inputs.append(
                    torch.cat([torch.zeros(1, self.task.action_size), episode["actions"][:, n].float()]).double()
                )
            if self.h.obs_agent_id:
                inputs.append(torch.eye(agents, dtype=torch.float64)[n].expand(steps, agents))
            lines.append(self.agent(networks, torch.cat(inputs, -1)))
        return torch.stack(lines, 1)

    def moments(self, batch: list[dict[str, Tensor]]) -> tuple[float, float]:
        """Mean and variance of EPyMARL's running moments: the old ones' and the batch's, weighted by their counts."""
        new = torch.tensor(
            [r for e in batch for r in self.team_rewards(e)[played(e["terminated"])].tolist()], dtype=torch.float64
        )
        mean, variance, count = self.running
        total, delta = count + len(new), new.mean().item() - mean
        spread = variance * count + new.var().item() * len(new) + delta**2 * count * len(new) / total
        self.running = (mean + delta * len(new) / total, spread / total, total)
        return self.running[0], self.running[1]

    def team_rewards(self, episode: dict[str, Tensor]) -> Tensor:
        return episode["rewards"].double().sum(-1)

    def state_at(self, episode: dict[str, Tensor], t: int) -> Tensor:
        return (episode["state"][t] if "state" in episode else episode["obs"][t].flatten()).double()

    def td_errors(self, episode: dict[str, Tensor], mean: float, deviation: float) -> list[Tensor]:
        """y - Q_tot of each step played."""
        h, agents, length = self.h, range(self.task.agents), self.task.episode_limit
        q = self.q_values(self.online, episode)
        with torch.no_grad():
            target_q = self.q_values(self.target, episode)
        last = int(played(episode["terminated"]).sum()) - 1
        over = bool(episode["terminated"][last]) or h.time_limit_terminal
        values = []
        for t in range(length + 1):
            avail = episode["avail_actions"][t]
            best = [
                max(
                    (a for a in range(self.task.action_size) if avail[n, a]),
                    key=lambda a: (q if h.double_q else target_q)[t, n, a].item(),
                )
                for n in agents
            ]
            chosen = torch.stack([target_q[t, n, best[n]] for n in agents])
            values.append(self.mixed(self.target, chosen, self.state_at(episode, t)).item())
        rewards = [(r - mean) / deviation for r in self.team_rewards(episode).tolist()]
        y, later = [0.0] * length, 0.0
        share = 0.0 if h.td_lambda is None else h.td_lambda
        for t in reversed(range(last + 1)):
            if t == last:
                later = rewards[t] + (0.0 if over else h.gamma * values[t + 1])
            else:
                later = rewards[t] + h.gamma * ((1 - share) * values[t + 1] + share * later)
            y[t] = later
        errors = []
        for t in range(last + 1):
            taken = torch.stack([q[t, n, episode["actions"][t, n].argmax()] for n in agents])
            errors.append(y[t] - self.mixed(self.online, taken, self.state_at(episode, t)))
        return errors

    def td_loss(self, batch: list[dict[str, Tensor]], mean: float, deviation: float) -> Tensor:
        squares = [error**2 for episode in batch for error in self.td_errors(episode, mean, deviation)]
        return sum(squares, torch.zeros(())) / (len(squares) if self.h.loss_reduction == "mean" else 1)

    def objective(self, batch: list[dict[str, Tensor]], loss_td: Tensor) -> Tensor:
        return loss_td

    def update(self) -> float:
        batch = self.sampled()
        mean, variance = self.moments(batch) if self.h.standardise_rewards else (0.0, 1.0)
        loss = self.objective(batch, self.td_loss(batch, mean, variance**0.5))
        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.online.parameters(), self.h.grad_clip)
        self.adam.step()
        self.updates += 1
        if self.updates % self.h.target_update_interval == 0:
            self.target.load_state_dict(self.online.state_dict())
        return loss.item()


class PlainSeveral(PlainTeam):
    """One seed of a learner on several tasks; `turn` selects a task's networks, ring and moments."""

    def __init__(self, run: TeamRun, s: int):
        self.names = list(run.learner.state())
        super().__init__(run, s)
        self.tasks, self.k = run.learner.tasks, 0
        self.rings: list[list[dict[str, Tensor]]] = [[] for _ in self.tasks]
        self.runnings = [self.running for _ in self.tasks]
        self.epochs_done = 0

    def networks(self, state: dict[str, Tensor]) -> nn.ModuleDict:
        """By the paper's letters: E_k, F, EA_k, SE_k and the mixer."""
        found = {n: stack(own(state, f"online.agent.{n}", self.s)) for n in self.letters("agent")}
        embeddings = {n for n in self.letters("mixer") if n.startswith("SE_")}
        found |= {n: stack(own(state, f"online.mixer.{n}", self.s)) for n in embeddings}
        mixer = {n: x for n, x in own(state, "online.mixer", self.s).items() if not n.startswith("SE_")}
        return nn.ModuleDict(found | {"mixer": Mixing(mixer, self.task.agents)})

    def letters(self, network: str) -> set[str]:
        return {name.split(".")[2] for name in self.names if name.startswith(f"online.{network}.")}

    def turn(self, k: int) -> None:
        self.runnings[self.k] = self.running
        self.k, self.task, self.ring, self.running = k, self.tasks[k], self.rings[k], self.runnings[k]

    def agent(self, networks: nn.ModuleDict, inputs: Tensor) -> Tensor:
        e = torch.relu(networks[f"E_{self.k}"](inputs))
        return networks[f"EA_{self.k}"](torch.relu(networks["F"](e)))

    def mixed(self, networks: nn.ModuleDict, q: Tensor, state: Tensor) -> Tensor:
        name = f"SE_{self.k}"
        return networks["mixer"](q, networks[name](state) if name in networks else state)


class PlainMKTMARL(PlainSeveral):
    """With eq. 3 and 6; the teachers are single-task MLPs that read what the student reads."""

    def objective(self, batch: list[dict[str, Tensor]], loss_td: Tensor) -> Tensor:
        assert self.task.teacher is not None
        teacher, terms = stack({n: w[self.s] for n, w in self.task.teacher.weights.items()}), []
        for episode in batch:
            q = self.q_values(self.online, episode)
            for t in range(int(played(episode["terminated"]).sum())):
                for n in range(self.task.agents):
                    number = torch.eye(self.task.agents, dtype=torch.float64)[n]
                    with torch.no_grad():
                        taught_q = teacher(torch.cat([episode["obs"][t, n].double(), number]))
                    can = episode["avail_actions"][t, n]
                    p, log_q = (taught_q[can] / 2).softmax(0), q[t, n][can].log_softmax(0)
                    terms.append((p * (p.log() - log_q)).sum())
        share = 0.1 + 0.85 * min(self.epochs_done / 240, 1)
        return (1 - share) * sum(terms, torch.zeros(())) / len(terms) + share * loss_td

    def turn(self, k: int) -> None:
        self.epochs_done += 2 * (k < self.k)  # rounds of 2 episodes
        super().turn(k)


def numbers(module: nn.Module) -> list[float]:
    """Every parameter's sum and sum of squares, whatever its name."""
    return sorted(x for p in module.parameters() for x in (p.sum().item(), p.square().sum().item()))


SECOND = 1  # of two seeds; that the first is as if it were alone, test_value_lanes.py holds to the last bit
KINDS = {
    "qmix": ("qmix", {}),
    "hypernetworks of one layer, no double Q": ("qmix", {"hypernetwork_layers": 1, "double_q": False}),
    "vdn, lambda-returns": ("vdn", {"td_steps": None, "td_lambda": 0.6, "time_limit_terminal": False}),
    "gru": ("qmix", {"use_rnn": True, "obs_last_action": True, "td_steps": None, "td_lambda": 0.8}),
    "sums": ("vdn", {"loss_reduction": "sum", "obs_agent_id": False, "standardise_rewards": False}),
    "time limits go on": ("qmix", {"time_limit_terminal": False}),
}


TASKS = {"own state": toy_task(), "state given": toy_task(3, 2, 3, 4, state_size=5)}
CASES = [(name, task) for name, (mixer, _) in KINDS.items() for task in TASKS if mixer == "qmix" or task == "own state"]


@pytest.mark.parametrize(("name", "task_name"), CASES)
def test_the_learner_agrees(name: str, task_name: str):
    """After 12 updates, with targets copied every 3 and a ring that has wrapped: losses and all parameters.

    VDN reads no state.
    """
    (mixer, changes), task = KINDS[name], TASKS[task_name]
    run = started(qmix, [task], single(mixer, **changes), (0, 1), torch.float64)
    plain = PlainTeam(run, SECOND)
    for _ in range(14):
        run.play(1)
        plain.store(run.rollouts[-1][0])
        if "td" in run.seen[-1]:
            assert run.seen[-1]["td"][SECOND].item() == pytest.approx(plain.update(), rel=1e-9)
    assert_agree(run, plain, 12)


SEVERAL = [
    ("qmix", [toy_task(), toy_task(2, 5, 3, 4, state_size=4)], {}),
    ("vdn", [toy_task(), toy_task(3, 2, 3, 4)], {"td_steps": None, "td_lambda": 0.6}),
]


@pytest.mark.parametrize(("mixer", "tasks", "changes"), SEVERAL)
@pytest.mark.parametrize("distils", [False, True])
def test_the_multi_task_learners_agree(mixer: str, tasks: list[Task], changes: dict, distils: bool):
    """After 6 updates of each of two tasks in turn, targets copied every 3 updates."""
    if distils:
        tasks = [taught(task, (0, 1), torch.float64) for task in tasks]
        run = started(mkt_marl, tasks, distilling(mixer, distill_temperature=2.0, **changes), (0, 1), torch.float64)
        plain: PlainSeveral = PlainMKTMARL(run, SECOND)
    else:
        run = started(qmix_multi, tasks, several(mixer, **changes), (0, 1), torch.float64)
        plain = PlainSeveral(run, SECOND)
    for _ in range(8):
        run.play(1)
        for k, (seen, rollout) in enumerate(zip(run.seen[-2:], run.rollouts[-1], strict=True)):
            plain.turn(k)
            plain.store(rollout)
            if "td" in seen:
                plain.update()
    assert_agree(run, plain, 12)


def assert_agree(run: TeamRun, plain: PlainTeam, updates: int) -> None:
    state = run.learner.state()
    assert plain.updates == updates
    for network, module in (("online", plain.online), ("target", plain.target)):
        ours = [x for p in own(state, network, SECOND).values() for x in (p.sum().item(), p.square().sum().item())]
        assert sorted(ours) == pytest.approx(numbers(module), rel=1e-8, abs=1e-10)
