"""PTDE's stage 2 (Chen et al. 2024, Sec. 3.3): a student with local inputs learns the frozen team's z and replaces it.

Axes: S seed, B episode, T time step, N agent, I input entry, X state entry, Z entry of z; R pair of agent and step.

| paper | here | as released (chenyiqun/ptde-open 38903d8) |
|---|---|---|
| Sec. 3.4, Algorithm 2: data | `Stage2.exploring`, `pairs` | 800 episodes of the stage-1 team, epsilon .05, z sampled |
| eq. 4: teacher knowledge | `ptde.GIP.distribution` | the mean; its variance is left out |
| eq. 5: student knowledge | `ptde.Student` | |
| eq. 6: mean squared error | `distillation_loss` | summed over z's entries |
| Sec. 3.4, Fig. 5(b): execution | `Stage2.greedy` | a sample around the student's output |

Before the first update the team plays its episodes; a budget counts only updates. A fifth of the pairs is held out for
the second loss in Fig. 7. Pairs are split without regard to episodes, as released. The gradient's norm is not clipped:
the released code clips it over a generator that is already exhausted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.layers import columns, named, part
from baselines.kernels.nn import Parameters, detached
from baselines.kernels.optim import TeamAdam
from baselines.learner import Acting, Replay, Rollout, Task, Teacher
from baselines.mappo import SampledPlay, gumbel
from baselines.mappo_steps import OpenPlay, actor_inputs, stacked
from baselines.networks.acting import Play
from baselines.networks.agents import agent_inputs, input_size
from baselines.networks.informing import Noise, evaluation_noise, informing, round_noise
from baselines.networks.team import Information
from baselines.ptde import GIP, Student, module_of
from baselines.replay.episodes import EpisodeBatch, WholeEpisodes, last_actions
from baselines.streams import Streams, generator
from baselines.teachers import teacher_of
from baselines.training_state import restore_counts, restored, saved, saved_counts

Stage1 = specs.Personal | specs.PersonalActors  # the hyperparameters of a team


def distillation_loss(taught: Tensor, learnt: Tensor) -> Tensor:
    """Eq. 6: squared error, summed over z's entries, averaged over the batch: [S, Z, R] x2 -> [S]."""
    return (taught.detach() - learnt).square().sum(1).mean(-1)


@dataclass(frozen=True)
class FrozenTeam:
    """The stage-1 team: the agents' layers and the GIP module's, and how they are combined."""

    task: Task
    agent: Parameters
    module: Parameters
    information: GIP
    h: Stage1

    @classmethod
    def of(cls, task: Task, device: torch.device | str, dtype: torch.dtype) -> FrozenTeam:
        """The task's teacher. Raises ValueError without one, and if it has no GIP module."""
        teacher = teacher_of(task, 0, "stage 2 of PTDE")
        h = _stage_1(teacher)
        weights = {name: weight.to(device, dtype) for name, weight in teacher.weights.items()}
        in_steps = isinstance(h, specs.PersonalStepsMAPPO)
        inputs = actor_inputs(task, h) if in_steps else input_size(task, h.obs_agent_id, h.obs_last_action)
        information = module_of(task, h, inputs)
        assert isinstance(information, GIP)  # of h
        agent = {name: weight for name, weight in weights.items() if not name.startswith("information.")}
        return cls(task, agent, part(weights, "information"), information, h)

    def inputs(self, obs: Tensor, actions: Tensor) -> Tensor:
        """[S, B, T+1, N, I] of obs [S, B, T+1, N, O] and actions [S, B, T, N]."""
        if isinstance(self.h, specs.PersonalStepsMAPPO):
            first = torch.zeros(obs.shape[:3], dtype=torch.bool, device=obs.device)
            obs = stacked(obs, first, obs.new_zeros(*obs.shape[:2], self.h.stacked_frames - 1, *obs.shape[3:]))
        previous = last_actions(actions) if self.h.obs_last_action else None
        return agent_inputs(obs, previous, self.task.action_size, self.h.obs_agent_id)

    @property
    def samples(self) -> bool:
        """Whether training episodes sample its policy (MAPPO); else they are epsilon-greedy."""
        return isinstance(self.h, specs.PersonalActors)

    def play(
        self, information: Information, module: Parameters, z: Noise, epsilon: float = 0.0, noise: Tensor | None = None
    ) -> Acting:
        """The team with a module that makes z: its own or the student. noise: for exploration; None: no exploration."""
        h, inform = self.h, informing(information, module, z)
        if isinstance(h, specs.PersonalStepsMAPPO):
            return OpenPlay(self.agent, h, noise=noise, inform=inform)
        if self.samples and noise is not None:
            return SampledPlay(self.agent, h.use_rnn, h.obs_agent_id, noise, inform)
        return Play(self.agent, h.use_rnn, h.obs_agent_id, h.obs_last_action, epsilon, noise, inform)


def _stage_1(teacher: Teacher) -> Stage1:
    got = teacher.hyperparameters.get("information", "no z")
    if got != "gip":
        raise ValueError(f"stage 2 of PTDE: its teacher has information = {got!r}; allowed: 'gip', a team of stage 1")
    on_mappo = specs.StepsMAPPOGIP if "rollout_steps" in teacher.hyperparameters else specs.MAPPOGIP
    model = specs.GIP if "mixer" in teacher.hyperparameters else on_mappo
    return model.model_validate(dict(teacher.hyperparameters))


class Pairs(NamedTuple):
    """inputs [S, R, I]; taught [S, R, Z], the mean of the teacher's z; by seed, the pairs for learning and held out."""

    inputs: Tensor
    taught: Tensor
    learnt: list[Tensor]
    held_out: list[Tensor]


@torch.no_grad()
def pairs(team: FrozenTeam, batch: EpisodeBatch, padding: bool, held_out_share: float, seeds: Sequence[int]) -> Pairs:
    """The student's pairs from these episodes.

    padding: whether all T+1 steps of an episode count, those after its end as zeros with the agent's number, as
    released; else only the steps that were played. seeds: the runs', which decide what is held out.
    """
    real = torch.cat([torch.ones_like(batch.mask[..., :1]), batch.mask], -1)  # [S, B, T+1]
    inputs, state = team.inputs(batch.obs, batch.actions), batch.state.masked_fill(~real.unsqueeze(-1), 0)
    local = inputs.shape[-1] - inputs.shape[-2] * team.h.obs_agent_id
    ended = ~real[..., None, None]
    inputs = torch.cat([inputs[..., :local].masked_fill(ended, 0), inputs[..., local:]], -1)
    taught = [
        team.information.distribution(team.module, *own)[0]
        for own in zip(inputs.split(64, 1), state.split(64, 1), strict=True)
    ]
    counts = real if padding else torch.cat([batch.mask, torch.zeros_like(batch.mask[..., :1])], -1)
    counts = (counts | padding).unsqueeze(-1).expand(inputs.shape[:-1]).flatten(1)
    learnt, held_out = [], []
    for own, seed in zip(counts, seeds, strict=True):
        rows = own.nonzero().squeeze(-1)
        order = torch.randperm(len(rows), generator=generator(seed, "pairs held out")).to(rows.device)
        first = round((1 - held_out_share) * len(rows))
        learnt.append(rows[order[:first]])
        held_out.append(rows[order[first:]])
    return Pairs(inputs.flatten(1, 3), torch.cat(taught, 1).flatten(1, 3), learnt, held_out)


class Stage2:
    """A `Learner`: the team plays its episodes, then each round is one update of the student on pairs from them.

    dtype: of everything. Reports "distill", eq. 6 on the batch, and "held_out", the same on as many held-out pairs.
    Raises ValueError if the task has no teacher of stage 1.
    """

    steps: int | None = None
    replays: Sequence[Replay]

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.PTDE,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        dtype: torch.dtype = torch.float32,
    ):
        (task,), h = tasks, hyperparameters
        self.hyperparameters, self._streams, self._device, self._dtype = h, streams, torch.device(device), dtype
        self._task = replace(task, episodes=h.distill_episodes, alone=False)
        self._team = FrozenTeam.of(self._task, device, dtype)
        self._episodes = WholeEpisodes(self._task, h.distill_episodes, streams, device, dtype)
        self.replays = [self._episodes]
        inputs = self._team.information.inputs
        self._student = Student(inputs, h.student_hidden_width, self._team.h.z_width, h.student_variance)
        self._adam = TeamAdam(self._student.initial(streams, device, dtype), h.distill_lr, math.inf)
        self._counts = {"updates": 0}
        self._pairs: Pairs | None = None  # the replay's, made at first use

    @property
    def copies(self) -> int:
        """0 once all episodes are stored: nothing more is played."""
        whole = self._episodes.episodes >= self.hyperparameters.distill_episodes
        return 0 if whole else self.hyperparameters.distill_round_episodes

    @property
    def updates(self) -> int:
        return self._counts["updates"]

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """The frozen team with z from its GIP module: epsilon-greedy, or the samples of MAPPO's actors."""
        h, team, own = self.hyperparameters, self._team, self._task
        like, copies = self._adam.leaves["first.bias_0"], h.distill_round_episodes
        z = round_noise(team.information, own, copies, self._streams, like)
        shape, streams = (own.episode_limit, copies, own.agents), [s["exploration"] for s in self._streams]
        if team.samples:
            drawn = [gumbel((*shape, own.action_size), s, self._device, self._dtype) for s in streams]
        else:
            size = (*shape, 1 + own.action_size)
            drawn = [torch.rand(size, generator=s, dtype=like.dtype, device=like.device) for s in streams]
        return team.play(team.information, team.module, z, h.distill_epsilon, torch.stack(drawn, 1))

    def greedy(self, task: int) -> Acting:
        """The team with the student in place of its GIP module: only local inputs."""
        leaves = detached(self._adam.leaves)
        z = evaluation_noise(self._streams, leaves["first.bias_0"])
        return self._team.play(self._student, leaves, z)

    def learn(self, task: int, rollout: Rollout | None, episodes_done: int) -> dict[str, Tensor]:
        if rollout is not None:
            self._episodes.append(rollout)
            return {}
        found = self._known()
        batch = self._drawn("replay", found, found.learnt)
        held_out = self._drawn("update", found, found.held_out)
        self._counts["updates"] += 1
        return self._update(batch, held_out)

    def _known(self) -> Pairs:
        if self._pairs is None:
            h, seeds = self.hyperparameters, [stream.seed for stream in self._streams]
            self._pairs = pairs(self._team, self._episodes.whole(), h.distill_padding, h.held_out_share, seeds)
        return self._pairs

    def _drawn(self, purpose: str, found: Pairs, among: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Inputs [S, I, R] and targets [S, Z, R], drawn with replacement from each seed's own stream."""
        size, columns_ = self.hyperparameters.distill_batch_size, []
        for lane, (own, stream) in enumerate(zip(among, self._streams, strict=True)):
            drawn = torch.randint(len(own), (size,), generator=stream[purpose], device=self._device)
            columns_.append((found.inputs[lane, own[drawn]], found.taught[lane, own[drawn]]))
        inputs, taught = (torch.stack(own) for own in zip(*columns_, strict=True))
        return columns(inputs), taught.mT

    def _update(self, batch: tuple[Tensor, Tensor], held_out: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """One step of Adam on a batch; losses [S], both from before the step."""
        loss = self._loss(self._adam.leaves, *batch)
        with torch.no_grad():
            aside = self._loss(detached(self._adam.leaves), *held_out)
        self._adam.step(loss)
        return {"distill": loss.detach(), "held_out": aside}

    def _loss(self, parameters: Mapping[str, Tensor], inputs: Tensor, taught: Tensor) -> Tensor:
        return distillation_loss(taught, self._student.mean(parameters, inputs)[..., : taught.shape[-1]])

    def policy(self) -> dict[str, Tensor]:
        """The student, named information.*. The agents' network is its teacher's, whose run the record names."""
        own = named("information", detached(self._adam.leaves))
        return {name: weight.clone() for name, weight in own.items()}

    def state(self) -> dict[str, Tensor]:
        """The student, Adam and the count of updates; copies. The team is its teacher's."""
        state = saved({"student": detached(self._adam.leaves)}, {"adam": self._adam})
        return state | saved_counts(self._counts, len(self._streams))

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        restored(state, {"student": detached(self._adam.leaves)}, {"adam": self._adam})
        restore_counts(state, self._counts)
        self._pairs = None
