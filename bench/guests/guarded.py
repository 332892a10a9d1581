"""The process of a learner from elsewhere: `python -m bench.guests.guarded FD` answers the harness's questions.

It has the learner, its random streams and its teachers, and nothing that affects scores: episodes, rewards, the count
of steps and the record are at the other end of the socket (remote.py).
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import torch
from torch import Tensor

from baselines.learner import Acting, Rollout, Seen
from baselines.streams import Streams
from bench.guests.child import fail, limit, packages
from bench.guests.messages import packed, unpacked
from bench.processes.channel import Channel, Closed
from bench.processes.launch import see_folder
from bench.run.job import Job
from bench.run.tasks import make_learner, make_teachers, places, teacher_refs
from bench.store import Store

Answer = tuple[dict[str, Any], dict[str, Tensor]]


class Hosted:
    """One run's learner, and its policy that acts now."""

    def __init__(self, job: Job, store: Store):
        (run,), device = job.runs, torch.device("cpu")
        playing = places(job.cell, device)
        trained = [place for place in playing if place.scored.trained]
        teachers = make_teachers(store, job.cell, trained, [teacher_refs(store, run)], device)
        self._learner = make_learner(job.cell, playing, teachers, [Streams(run.seed, device)], device)
        self._acting: Acting | None = None

    def answer(self, question: dict[str, Any], tensors: dict[str, Tensor]) -> Answer:
        """The answer to a question, as messages.py lists them."""
        learner = self._learner
        match question["ask"]:
            case "copies":
                return {"copies": learner.copies, "steps": learner.steps}, {}
            case "exploring":
                self._acting = learner.exploring(question["task"], question["episodes"])
                return {}, {}
            case "greedy":
                self._acting = learner.greedy(question["task"])
                return {}, {}
            case "act":
                return {}, {"actions": self._act(Seen(**tensors))}
            case "learn":
                return {}, learner.learn(question["task"], Rollout(**tensors), question["episodes"])
            case "policy":
                return {"packages": packages()}, learner.policy()
            case other:
                raise ValueError(f"ask: got {other!r}; allowed: what bench/guests/messages.py lists")

    @torch.inference_mode()
    def _act(self, seen: Seen) -> Tensor:
        assert self._acting is not None
        return self._acting(seen)


def main() -> None:
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    order, _ = channel.receive()
    limit(order)
    try:
        job = Job.model_validate(order["job"])
        see_folder(order["here"], job.cell.settings["algorithm"]["name"])
        hosted = Hosted(job, Store(order["results"]))
        while True:
            question, content = channel.receive()
            said, tensors = hosted.answer(question, unpacked(content))
            channel.send({"do": "answer", **said}, packed(tensors, question["ask"]))
    except Closed:
        return
    except BaseException as error:  # any exception ends this run and becomes its reason
        fail(channel, error)


if __name__ == "__main__":
    main()
