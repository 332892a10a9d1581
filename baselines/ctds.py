"""CTDS (Zhao et al. 2022) on QMIX: a student with local inputs learns together with its teacher in one run.

Axes: S seed, E environment copy, B batch of episodes, T time step, N agent, O observation entry, X state entry, A
action.

| paper | here |
|---|---|
| the teacher: QMIX whose agents see all that can be seen | `widened`, `qmix.ValueDecomposition` |
| the student: the same network on local observations | `Student` |
| its loss: squared error on all Q-values, summed (889c38a) | `student_loss` |
| the student executes, the teacher explores | `CTDS.exploring`, `CTDS.greedy` |

The teacher sees the agent's observation and the state. Both learn in every update. The student has its own Adam and
learns from the teacher's current values. `role` only says which of the two is evaluated: for one seed, the runs of both
roles train in exactly the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.layers import named, part
from baselines.kernels.nn import detached
from baselines.kernels.optim import TeamAdam
from baselines.learner import Acting, Replay, Rollout, Seen, Task
from baselines.losses.masks import reduced
from baselines.networks.acting import Play
from baselines.networks.agents import agent_inputs, input_size, state_size, team_q
from baselines.networks.team import SharedNetwork
from baselines.qmix import ValueDecomposition, named_mixer
from baselines.replay.episodes import EpisodeBatch, last_actions
from baselines.streams import Streams
from baselines.training_state import restored, saved


def widened(obs: Tensor, state: Tensor | None) -> Tensor:
    """What the teacher's agents see: [..., N, O] and [..., X] -> [..., N, O + X]. Without a state: all observations."""
    known = obs.flatten(-2) if state is None else state.to(obs.dtype)
    return torch.cat([obs, known.unsqueeze(-2).expand(*obs.shape[:-1], known.shape[-1])], -1)


def student_loss(teacher_q: Tensor, student_q: Tensor, mask: Tensor) -> Tensor:
    """Squared error, summed over agents and actions, averaged over steps played: [S, B, T, N, A] x2 -> [S]."""
    return reduced((teacher_q.detach() - student_q).square().sum((-2, -1)), mask, "mean")


class Student:
    """`qmix.ExtraLoss` that does not change the teacher's loss but makes a step of the student. Reports "distill"."""

    def __init__(
        self,
        task: Task,
        h: specs.CTDS,
        streams: Sequence[Streams],
        device: torch.device | str,
        dtype: torch.dtype,
    ):
        self._task, self._h = task, h
        inputs = input_size(task, h.obs_agent_id, h.obs_last_action)
        network = SharedNetwork(inputs, h.hidden_width, h.hidden_layers, task.action_size, h.use_rnn)
        self.adam = TeamAdam(network.initial(streams, device, dtype), h.lr, h.grad_clip)

    def coefficients(self, task: int, epochs_done: int) -> dict[str, float]:
        return {}

    def __call__(
        self, task: int, batch: EpisodeBatch, q: Tensor, loss_td: Tensor, coefficients: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        h, own = self._h, self._task
        previous = last_actions(batch.actions)[:, :, :-1] if h.obs_last_action else None
        local = batch.obs[:, :, :-1, :, : own.obs_size]
        inputs = agent_inputs(local, previous, own.action_size, h.obs_agent_id)
        loss = student_loss(q[:, :, :-1], team_q(self.adam.leaves, inputs, h.use_rnn), batch.mask)
        self.adam.step(loss)
        return loss_td, {"distill": loss.detach()}

    def play(self) -> Play:
        """The student alone, greedy."""
        h = self._h
        return Play(detached(self.adam.leaves), h.use_rnn, h.obs_agent_id, h.obs_last_action)


class CTDS:
    """A `Learner` of teacher and student. Raises ValueError for more than one task."""

    steps: int | None = None

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.CTDS,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        dtype: torch.dtype = torch.float32,
    ):
        h, (task,) = hyperparameters, tasks
        states = state_size(task)
        wide = replace(task, obs_size=task.obs_size + states, state_size=states)
        inputs = input_size(wide, h.obs_agent_id, h.obs_last_action)
        network = SharedNetwork(inputs, h.hidden_width, h.hidden_layers, task.action_size, h.use_rnn)
        mixer = named_mixer(h, task.agents, states)
        self._student = Student(task, h, streams, device, dtype)
        self._teacher = ValueDecomposition(
            [wide], h, streams, device, network=network, mixer=mixer, extra_loss=self._student, dtype=dtype
        )
        self.hyperparameters, self.copies = h, h.update_episodes
        self.replays: Sequence[Replay] = self._teacher.replays

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """The teacher's policy."""
        return _seeing_all(self._teacher.exploring(task, episodes_done))

    def greedy(self, task: int) -> Acting:
        """The policy of the one that `role` names."""
        if self.hyperparameters.role == "student":
            return self._student.play()
        return _seeing_all(self._teacher.greedy(task))

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        state = rollout.obs.flatten(-2) if rollout.state is None else rollout.state
        seen = replace(rollout, obs=widened(rollout.obs, rollout.state), state=state)
        return self._teacher.learn(task, seen, episodes_done)

    def policy(self) -> dict[str, Tensor]:
        """The weights of the one that `role` names."""
        if self.hyperparameters.role == "teacher":
            return self._teacher.policy()
        return {name: p.detach().clone() for name, p in self._student.adam.leaves.items()}

    def state(self) -> dict[str, Tensor]:
        """Both, by dotted name; copies."""
        student = saved({"network": detached(self._student.adam.leaves)}, {"adam": self._student.adam})
        return named("teacher", self._teacher.state()) | named("student", student)

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._teacher.load_state(part(state, "teacher"))
        student = {"network": detached(self._student.adam.leaves)}
        restored(part(state, "student"), student, {"adam": self._student.adam})


def _seeing_all(act: Acting) -> Acting:
    """The teacher's policy as an ordinary `Acting`."""
    return lambda seen: act(Seen(widened(seen.obs, seen.state), seen.avail_actions, seen.first, seen.state))
