"""Dec-HDRQN (Omidshafiei et al. 2017) as Mai et al. (2023) compare MKT-MARL with it: recurrent Q-networks, distilled.

Axes: S seed, B batch of episodes, T time step, N agent, O observation entry, A action entry, I input entry, H hidden
unit; L step of a trace; K task.

| paper (Mai et al. 2023) | here |
|---|---|
| Sec. VI-A, Fig. 5: policy distillation alone | `DecHDRQN._update`: no reward is read |
| its loss; ours: MKT-MARL's eq. 3 | `mkt_marl.distillation_loss` |
| a recurrent network, on traces (Omidshafiei et al., read second-hand) | `multi_task_lstm_q`, `trace_steps` |
| "separate observation mapping functions" (Sec. V-C, of the other baselines) | E_k of `initial_multi_task_lstm` |
| "k buffers" (the same) | `DecHDRQN.learn` |

It is "a non-CTDE method" (Sec. V-C): nothing is centralised. Hysteresis, discount and target networks belong to TD
learning and are not used. Table III's "use rnn False" cannot hold for it; its other rows and the batch size of Sec. V-D
do. Where the paper is silent, these choices are ours. The teachers are those of Mai et al.'s own method (single-task
QMIX). Traces are from the student's own episodes (Mai et al.'s Algorithm 1; in Omidshafiei et al. the specialists
collect them) and start from a hidden state of zeros. There is one network with agent ids, as in all of Mai et al.'s
methods; Omidshafiei et al. have one for each agent. Each task has layers of its own, since observations and actions
differ in length; Omidshafiei et al. do not use the task's identity.
The loss is a mean if the suite says so; eq. 3 sums. Its temperature is Mai et al.'s. Gradients are clipped by norm, as
for every other method there. Omidshafiei et al.'s own distillation loss was not available, so nothing here is compared
with it.
A batch holds at most one trace of an episode; lyu-xg/dec-hdrqn (82f55c7) draws from all traces, with replacement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from baselines import specs
from baselines.kernels.layers import initial_linear, initial_lstm, joined, named, part
from baselines.kernels.nn import Parameters, detached
from baselines.kernels.optim import TeamAdam
from baselines.learner import Rollout, Seen, Task
from baselines.losses.masks import available_q
from baselines.mkt_marl import distillation_loss, initial_mappings
from baselines.networks.agents import Carried, agent_inputs, lstm_q
from baselines.replay.episodes import EpisodeBatch, WholeEpisodes
from baselines.schedules import epsilon_greedy, linear, steps_unplayed, unplayed
from baselines.streams import Streams
from baselines.teachers import TeamTeacher
from baselines.training_state import restore_counts, restored, saved, saved_counts


def initial_multi_task_lstm(
    input_sizes: Sequence[int],
    action_sizes: Sequence[int],
    widths: tuple[int, int, int],
    streams: Sequence[Streams],
    device: torch.device | str,
    dtype: torch.dtype,
) -> Parameters:
    """Parameters of `multi_task_lstm_q` for K tasks: E_0.*, ..., F.*, lstm.*, EA_0.*, ...

    input_sizes, action_sizes: I and A of each task. widths: of E_k's output, of F's, and H.
    """
    embedding_width, hidden_width, recurrent_width = widths
    where = streams, device, dtype
    parameters = initial_mappings("E", [(size, embedding_width) for size in input_sizes], *where)
    parameters |= named("F", initial_linear([embedding_width, hidden_width], *where))
    parameters |= named("lstm", initial_lstm(hidden_width, recurrent_width, *where))
    return parameters | initial_mappings("EA", [(recurrent_width, size) for size in action_sizes], *where)


def multi_task_lstm_q(
    agent: Mapping[str, Tensor], inputs: Tensor, task: int, carried: Carried | None = None
) -> tuple[Tensor, Carried]:
    """Q_i = EA_k(LSTM(F(E_k(inputs)))) for task k, and what the LSTM carries to the next step.

    inputs [S, B, T, N, I_k], carried: what the call for the steps before gave, None for zeros -> Q_i [S, B, T, N, A_k],
    carried. ReLU after E_k and F, each one Linear. The parameters of other tasks are not read and get no gradient.
    """
    body, lstm, head = joined(agent, (f"E_{task}", "F")), part(agent, "lstm"), part(agent, f"EA_{task}")
    return lstm_q(body, lstm, head, inputs, carried)


def trace_steps(lengths: Tensor, uniform: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """The steps of each episode in its trace, int64 [S, B, L], and which of these are valid, bool [S, B, L].

    lengths [S, B] int64: steps played, at least 1. uniform [S, B] from [0, 1). steps: L. Every window of L steps that
    overlaps the episode is equally likely, so the first and last steps are seen as often as the others:
    lyu-xg/dec-hdrqn (82f55c7, memory.py). The part of a window outside the episode is left out here, while that code
    feeds zeros to the LSTM. So a trace starts with a played step, and its end is filled with invalid steps.
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


class TracePlay:
    """The policy of one task during its episodes (`Acting`). Each agent's LSTM remembers its episode.

    noise [T, S, E, N, 1 + A]: see `epsilon_greedy`; None for the greedy policy.
    """

    def __init__(self, agent: Parameters, task: int, epsilon: float = 0.0, noise: Tensor | None = None):
        self._agent, self._task, self._epsilon, self._noise = agent, task, epsilon, noise
        self._carried: Carried | None = None
        self._calls = 0

    @torch.no_grad()
    def __call__(self, seen: Seen) -> Tensor:
        """One-hot actions [S, E, N, A]; the T rows of noise are for the calls one after another."""
        inputs = agent_inputs(seen.obs.to(self._agent["F.weight_0"].dtype).unsqueeze(2))
        q, self._carried = multi_task_lstm_q(self._agent, inputs, self._task, self._kept(seen))
        q = q.squeeze(2)
        if self._noise is None:
            chosen = available_q(q, seen.avail_actions).argmax(-1)
        else:
            chosen = epsilon_greedy(q, seen.avail_actions, self._epsilon, self._noise[self._calls])
        self._calls += 1
        return torch.zeros_like(q).scatter_(-1, chosen.unsqueeze(-1), 1)

    def _kept(self, seen: Seen) -> Carried | None:
        """The LSTM's carried state, [S, H, M] both; zeros where an episode begins, None if all episodes begin."""
        if self._carried is None or bool(seen.first.all()):
            return None
        if not bool(seen.first.any()):
            return self._carried
        hidden, cell = self._carried
        begins = seen.first.to(hidden.device).repeat_interleave(seen.obs.shape[2], 1)  # [S, E*N], a column each
        begins = pad(begins, (0, hidden.shape[-1] - begins.shape[-1])).unsqueeze(1)
        return hidden.masked_fill(begins, 0), cell.masked_fill(begins, 0)


class DecHDRQN:
    """A `Learner`: one update of the whole network after each task's round, once a batch of its episodes is stored.

    dtype: of parameters, replay and noise. Raises ValueError if a task has no teacher, or one that does not fit it.
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
        self.copies, self.steps = h.update_episodes, None
        self._teachers = [TeamTeacher.of(task, k, device, dtype) for k, task in enumerate(tasks)]
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
        self._counts = dict.fromkeys(map(unplayed, range(len(tasks))), 0)

    def exploring(self, task: int, episodes_done: int) -> TracePlay:
        """Epsilon-greedy; epsilon falls with the task's own steps."""
        h, t = self.hyperparameters, self.tasks[task]
        steps_done = episodes_done * t.episode_limit - self._counts[unplayed(task)]
        epsilon = linear(h.epsilon_start, h.epsilon_end, h.epsilon_anneal_steps, steps_done)
        noise = self._uniform("exploration", t.episode_limit, self.copies, t.agents, 1 + t.action_size)
        return TracePlay(detached(self._agent), task, epsilon, noise.transpose(0, 1))

    def greedy(self, task: int) -> TracePlay:
        return TracePlay(detached(self._agent), task)

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        h, replay = self.hyperparameters, self.replays[task]
        replay.append(rollout)
        self._counts[unplayed(task)] += steps_unplayed(self.tasks[task], rollout)
        if replay.episodes < h.batch_size:
            return {}
        return self._update(task, replay.sample(h.batch_size), self._uniform("update", h.batch_size))

    def _update(self, task: int, batch: EpisodeBatch, noise: Tensor) -> dict[str, Tensor]:
        """Losses [S]: "kl", eq. 3 on the steps of the traces, reduced by `loss_reduction`.

        noise [S, B]: uniform; decides where the traces begin.
        """
        h = self.hyperparameters
        index, mask = trace_steps(batch.mask.sum(-1), noise, h.trace_steps)
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
        """Network, Adam's moments and steps, and counts, by dotted name; copies."""
        return saved({"agent": self._agent}, {"adam": self._adam}) | saved_counts(self._counts, len(self._streams))

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        restored(state, {"agent": self._agent}, {"adam": self._adam})
        restore_counts(state, self._counts)

    def _uniform(self, purpose: str, *shape: int) -> Tensor:
        """Uniform from [0, 1), [S, *shape], each seed's from its own stream."""
        return torch.stack(
            [torch.rand(shape, generator=s[purpose], dtype=self._dtype, device=self._device) for s in self._streams]
        )
