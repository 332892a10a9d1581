"""The process of one environment: `bench.envs.apart_child FD` makes it, and answers the questions of `Apart` on FD."""

from __future__ import annotations

import importlib
import os
import resource
import socket
import sys
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from bench.envs.one import EnvironmentFailed, Floats, Given, One, Stated, check_ends, said_of
from bench.processes.channel import Channel, Closed


def main() -> None:
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    order, _ = channel.receive()
    resource.setrlimit(resource.RLIMIT_DATA, (order["memory"], order["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        module, _, name = order["make"].partition(":")
        one: One = getattr(importlib.import_module(module), name)(order["params"])
        channel.send({})
        while True:
            question, _ = channel.receive()
            said, obs = answer(one, question)
            available = one.avail_actions()
            told = {"avail": None if available is None else [np.asarray(own).tolist() for own in available]}
            told |= {"shapes": [np.shape(own) for own in obs]}
            rows = [*obs, cast(Stated, one).global_state()] if order["own_state"] else obs
            channel.send(said | told, np.concatenate([np.asarray(own, np.float64) for own in rows]).tobytes())
    except Closed:
        return
    except BaseException as error:  # any exception ends the run and becomes its reason
        reason = str(error) if isinstance(error, EnvironmentFailed) else said_of(error)
        if isinstance(error, MemoryError):
            reason += f"; the limit is {order['memory'] / 2**30:g} GiB"
        channel.send({"failed": " ".join(reason.split())})
        os._exit(1)


def answer(one: One, question: dict[str, Any]) -> tuple[dict[str, Any], Sequence[Floats]]:
    """The answer for `Apart`, and the observations."""
    if question["do"] == "reset":
        return {}, one.reset(question["seed"])
    actions = [own if isinstance(own, int) else np.array(own) for own in question["actions"]]
    given: Given = one.step(actions)
    check_ends(given)
    ends = {"terminated": bool(given.terminated), "truncated": bool(given.truncated)}
    said = {"rewards": [float(r) for r in given.rewards], "outcome": {n: float(x) for n, x in given.outcome.items()}}
    return said | ends, given.obs


if __name__ == "__main__":
    main()
