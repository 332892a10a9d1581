"""The process that runs JAX: `bench.envs.smax.child FD` keeps the battles of all maps that `environment` asks for.

A message's bytes are arrays one after another; `environment.Battlefield` lists the arrays in each direction.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from typing import Any

import numpy as np

from bench.envs.one import said_of
from bench.processes.channel import Channel, Closed


def main() -> None:
    sys.stdout = sys.stderr  # jaxmarl prints as it is imported; standard output is the command's that started this
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    order, _ = channel.receive()
    resource.setrlimit(resource.RLIMIT_DATA, (order["memory"], order["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        import jax  # pyright: ignore[reportMissingImports] # only here: nothing else of ours needs it

        jax.config.update("jax_platforms", "cpu")
        if order["cache"]:
            jax.config.update("jax_compilation_cache_dir", order["cache"])
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)
        from bench.envs.smax.battles import Battles

        channel.send({})
        kept: dict[int, Battles] = {}
        while True:
            question, content = channel.receive()
            if question["do"] == "make":
                kept[question["id"]] = Battles(question["name"])
                channel.send({})
            elif question["do"] == "close":
                del kept[question["id"]]
                channel.send({})
            else:
                channel.send(*answer(kept[question["id"]], question, content))
    except Closed:
        return
    except BaseException as error:  # any exception ends the runs and becomes their reason
        channel.send({"failed": said_of(error)})
        os._exit(1)


def answer(battles: Any, question: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    """The answer for the other side, and concatenated arrays."""
    match question["do"]:
        case "step":
            shape = question["shape"]
            seen, result = battles.step(np.frombuffer(content, np.int32).reshape(shape))
            parts = [*seen, *result]
        case "begin":
            seeds, which = np.array(question["seeds"], np.int32), np.array(question["which"], bool)
            parts = [*battles.begin(seeds, which)]
        case "save":
            parts = battles.saved()
        case "restore":
            leaves, at = [], 0
            for kind, shape in question["leaves"]:
                dtype, size = np.dtype(kind), int(np.prod(shape))
                leaves.append(np.frombuffer(content, dtype, size, at).reshape(shape))
                at += size * dtype.itemsize
            parts = [*battles.restore(np.zeros(question["battles"], np.int32), leaves)]
        case _:
            raise ValueError(f"do: got {question['do']!r}; allowed: step, begin, save, restore")
    told = {"arrays": [[part.dtype.str, part.shape] for part in parts]}
    return told, b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


if __name__ == "__main__":
    main()
