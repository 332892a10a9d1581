"""Dec-HDRQN (Omidshafiei et al. 2017) as MKT-MARL's baseline: recurrent Q-networks distilled on several tasks.

Axes: S seed, B batch of episodes, T time step, N agent, O observation entry, A action entry; L step of a trace.

Mai et al. 2023 (Sec. V-C, VI-A, Fig. 5) have it learn from task-specific teachers alone: nothing is centralised, no
reward is read, and hysteresis, discount and target networks, which serve TD learning, have no part. All else they leave
open. Ours: the teachers are those of their own method (single-task QMIX) and the loss is its eq. 3, on traces of the
student's own episodes (its Algorithm 1; in Omidshafiei et al., read second-hand, the specialists collect them). One
network with agent ids, as all their methods have, where Omidshafiei et al. have one for each agent. Layers of its own
for each task, since observations and actions differ in length; Omidshafiei et al. do without the task's identity.
A batch holds at most one trace of an episode; lyu-xg/dec-hdrqn (82f55c7) draws from all traces, with replacement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines import specs
from baselines.agents import Carried, agent_inputs, initial_multi_task_lstm, multi_task_lstm_q
from baselines.episodes import WholeEpisodes
from baselines.learner import Rollout, Task
from baselines.masks import available_q
from baselines.mkt_marl import TaskTeacher, distillation_loss
from baselines.nn import Parameters, detached
from baselines.optim import TeamAdam
from baselines.schedules import epsilon_greedy, linear
from baselines.streams import Streams


def trace_steps(lengths: Tensor, uniform: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Which steps of each episode a trace holds, int64 [S, B, L], and which of these are in the trace, bool [S, B, L].

    lengths [S, B] int64: steps played, 1 at least. uniform [S, B] from [0, 1). steps: L. Every window of L steps that
    meets the episode is as likely as any other, so that its first and last steps are seen as often as those between:
    lyu-xg/dec-hdrqn (82f55c7, memory.py). What of a window lies outside the episode is left out, where they
    feed zeros to the LSTM; so a trace starts with a step that was played, and fills its end with steps to ignore.
    """
    first = (uniform * (lengths + steps - 1)).long().minimum(lengths + steps - 2) - (steps - 1)
    stop = (first + steps).minimum(lengths)
    index = first.clamp(min=0).unsqueeze(-1) + torch.arange(steps, device=lengths.device)
    inside = index < stop.unsqueeze(-1)
    return index.minimum(lengths.unsqueeze(-1) - 1), inside


def traces(x: Tensor, index: Tensor) -> Tensor:
    """Steps index [S, B, L] of x [S, B, T, ...]: [S, B, L, ...]."""
    place = index.view(*index.shape, *(1,) * (x.dim() - 3)).expand(*index.shape, *x.shape[3:])
    return x.gather(2, place)


class Playing:
    """The policy of one task while its episodes are played (`Acting`); each agent's LSTM remembers its episode.

    noise [T, S, E, N, 1 + A]: see `epsilon_greedy`; None for the greedy policy.
    """

    def __init__(self, agent: Parameters, task: int, epsilon: float = 0.0, noise: Tensor | None = None):
        self._agent, self._task, self._epsilon, self._noise = agent, task, epsilon, noise
        self._carried: Carried | None = None

    @torch.no_grad()
    def __call__(self, obs: Tensor, avail_actions: Tensor, step: int) -> Tensor:
        """One-hot actions [S, E, N, A] of observations [S, E, N, O]; step 0 starts new episodes."""
        inputs = agent_inputs(obs.to(self._agent["F.weight_0"].dtype).unsqueeze(2))
        q, self._carried = multi_task_lstm_q(self._agent, inputs, self._task, self._carried if step else None)
        q = q.squeeze(2)
        if self._noise is None:
            chosen = available_q(q, avail_actions).argmax(-1)
        else:
            chosen = epsilon_greedy(q, avail_actions, self._epsilon, self._noise[step])
        return torch.zeros_like(q).scatter_(-1, chosen.unsqueeze(-1), 1)


class DecHDRQN:
    """A `Learner`: one update of the whole network after each task's round, once a batch of its episodes is stored.

    dtype: of parameters, replay and noise. Raises ValueError where a task has no teacher or one that does not fit it.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.DecHDRQN,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        dtype: torch.dtype = torch.float32,
    ):
        h = hyperparameters
        self.tasks, self.hyperparameters = tasks, h
        self._streams, self._device, self._dtype = streams, torch.device(device), dtype
        self.copies = h.update_episodes
        self._teachers = [TaskTeacher.of(task, k, device, dtype) for k, task in enumerate(tasks)]
        self.replays = [WholeEpisodes(task, h.replay_size, streams, device, dtype) for task in tasks]
        self._agent = initial_multi_task_lstm(
            [task.obs_size + task.agents for task in tasks],
            [task.action_size for task in tasks],
            (h.observation_embedding_width, h.hidden_width, h.recurrent_width),
            streams,
            device,
            dtype,
        )
        self._adam = TeamAdam(self._agent, h.lr, h.grad_clip)

    def exploring(self, task: int, episodes_done: int) -> Playing:
        """Epsilon-greedy; epsilon falls with the task's own steps."""
        h, t = self.hyperparameters, self.tasks[task]
        epsilon = linear(h.epsilon_start, h.epsilon_end, h.epsilon_anneal_steps, episodes_done * t.episode_limit)
        noise = self._uniform("exploration", t.episode_limit, self.copies, t.agents, 1 + t.action_size)
        return Playing(detached(self._agent), task, epsilon, noise.transpose(0, 1))

    def greedy(self, task: int) -> Playing:
        return Playing(detached(self._agent), task)

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        """Losses [S]: "kl", eq. 3's mean over the steps of the traces and over agents."""
        h, replay = self.hyperparameters, self.replays[task]
        replay.append(rollout)
        if replay.episodes < h.batch_size:
            return {}
        batch = replay.sample(h.batch_size)
        index, mask = trace_steps(batch.mask.sum(-1), self._uniform("update", h.batch_size), h.trace_steps)
        q, _ = multi_task_lstm_q(self._adam.leaves, agent_inputs(traces(batch.obs, index)), task)
        teacher_q, avail_actions = (
            traces(x, index) for x in (self._teachers[task].q_values(batch), batch.avail_actions)
        )
        loss = distillation_loss(teacher_q, q, avail_actions, mask, h.distill_temperature, h.loss_reduction)
        self._adam.step(loss)
        return {"kl": loss.detach()}

    def policy(self) -> dict[str, Tensor]:
        """The network's weights."""
        return {name: p.clone() for name, p in self._agent.items()}

    def state(self) -> dict[str, Tensor]:
        """Network, Adam's moments and steps, by dotted name; copies."""
        parts = {"agent": self.policy(), "adam": self._adam.state()}
        return {f"{part}.{name}": p for part, tensors in parts.items() for name, p in tensors.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        for name, p in self._agent.items():
            p.copy_(state[f"agent.{name}"])
        self._adam.load_state({n.removeprefix("adam."): p for n, p in state.items() if n.startswith("adam.")})

    def _uniform(self, purpose: str, *shape: int) -> Tensor:
        """Uniform from [0, 1), [S, *shape], each seed's from its own stream."""
        return torch.stack(
            [torch.rand(shape, generator=s[purpose], dtype=self._dtype, device=self._device) for s in self._streams]
        )
