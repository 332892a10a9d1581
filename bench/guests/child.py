"""The process of a method from elsewhere: `python -m bench.guests.child FD` runs one order that comes through FD.

Orders: {"order": "describe", "target"} and {"order": "train", "target", ...the task's own}. Both also have "memory" and
"file" (limits in bytes) and "here" (a folder). The limits are set before any code of the method is loaded. "here" is
the folder that bench was called from; only a method's process finds modules there. The process runs in a folder of its
own. The method may use standard output freely.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import io
import os
import re
import resource
import socket
import sys
import sysconfig
import traceback
from collections.abc import Mapping, Set
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from bench.guests.task import BudgetSpent, Task
from bench.processes.channel import Channel, Closed
from bench.processes.launch import see_folder

OURS = ("bench", "baselines")
CONSTRUCTOR = ("tasks", "hyperparameters", "streams", "device")  # a learner's arguments: baselines.learner.Learner
LEARNER = ("exploring", "greedy", "learn", "policy", "state", "load_state")  # a learner's methods


def main() -> None:
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    order, _ = channel.receive()
    limit(order)
    see_folder(order["here"], order["target"])
    try:
        found = described(order["target"]) if order["order"] == "describe" else trained(channel, order)
    except Closed:
        flush()
        os._exit(1)
    except BaseException as error:  # any exception ends this run and becomes its reason
        fail(channel, error)
    channel.send(found)


def limit(order: Mapping[str, Any]) -> None:
    """Limit this process's private memory, and the size of each file that it writes; no core file.

    Standard output becomes line-buffered.
    """
    for kind, most in (("DATA", order["memory"]), ("FSIZE", order["file"]), ("CORE", 0)):
        limited = getattr(resource, f"RLIMIT_{kind}")
        hard = resource.getrlimit(limited)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limited, (most, most))
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)


def fail(channel: Channel, error: BaseException) -> NoReturn:
    """Print the traceback, then tell the harness, which then ends this process at once."""
    with contextlib.suppress(Exception):  # the method may have replaced the streams
        traceback.print_exception(error)
    flush()
    reason = reason_of(error)
    if isinstance(error, MemoryError):
        reason += f"; the limit is {resource.getrlimit(resource.RLIMIT_DATA)[0] / 2**30:g} GiB"
    channel.send({"do": "failed", "reason": reason})
    os._exit(1)


def trained(channel: Channel, order: Mapping[str, Any]) -> dict[str, Any]:
    task = Task(channel, order)
    with contextlib.suppress(BudgetSpent):
        loaded(order["target"])[1](task)
    flush()
    channel.send({"do": "finished", "packages": packages()})
    task.answer()
    flush()
    return {"do": "bye"}


def flush() -> None:
    """Flush what was printed before the harness is told, since it then ends this process."""
    with contextlib.suppress(Exception):  # the method may have replaced or closed the stream
        sys.stdout.flush()


def described(target: str) -> dict[str, Any]:
    module, found = loaded(target)
    kind = "learner" if _makes_a_learner(found) else "function"
    declared = getattr(module, "DECLARATION", None)
    declared = type(declared).__name__ if not isinstance(declared, Mapping | None) else told(declared)
    about = {"kind": kind, "fault": fault_of(found), "source": source_hash(module), "declaration": declared}
    return {"do": "described", **about}


def told(value: Any) -> Any:
    """A declaration's value for JSON. A value that JSON lacks becomes a table with its type, which is then refused."""
    if isinstance(value, Mapping):
        return {str(key): told(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [told(own) for own in value]
    return value if value is None or isinstance(value, str | int | float) else {"of type": type(value).__name__}


def fault_of(found: Any) -> str:
    """Why it is neither a training function nor a learner; "" if it can be one."""
    if not callable(found):
        return f"which is of type {type(found).__name__}"
    if not inspect.isclass(found):
        return "" if _makes_a_learner(found) else _refuses(found, ("task",))
    missing = [name for name in LEARNER if not callable(getattr(found, name, None))]
    return f"a class without {', '.join(missing)}" if missing else _refuses(found, CONSTRUCTOR)


def _makes_a_learner(found: Any) -> bool:
    """Whether it is a class, or a function that takes the arguments of a learner's constructor instead of a task."""
    return inspect.isclass(found) or bool(_refuses(found, ("task",)) and not _refuses(found, CONSTRUCTOR))


def _refuses(called: Any, arguments: tuple[str, ...]) -> str:
    """Why it does not take these arguments by position; "" if it does, or if its signature is unknown."""
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):  # some functions written in C have no signature
        return ""
    try:
        signature.bind(*arguments)
    except TypeError as error:
        return f"which takes {signature}, not ({', '.join(arguments)}): {error}"
    return ""


def loaded(target: str) -> tuple[ModuleType, Any]:
    """`module:attribute` -> the module and the attribute."""
    name, _, attributes = target.partition(":")
    module = importlib.import_module(name)
    found: Any = module
    for attribute in attributes.split("."):
        found = getattr(found, attribute)
    return module, found


def source_hash(module: ModuleType) -> str:
    """SHA-256 of the method's code: its package's files, and all files loaded from the folder beside it.

    For a module without a package: its own file. Other installed packages are not included.
    """
    top = sys.modules[module.__name__.partition(".")[0]]
    own = Path(module.__file__ or "").resolve()
    root = own.parents[module.__name__.count(".") + own.name.startswith("__init__.")]
    files = {own}
    if top.__file__ is not None and Path(top.__file__).name == "__init__.py":
        files |= {path.resolve() for path in Path(top.__file__).parent.rglob("*.py")}
    if str(root) not in {str(Path(p).resolve()) for p in sysconfig.get_paths().values()}:
        for name, other in list(sys.modules.items()):
            path = Path(getattr(other, "__file__", None) or "").resolve()
            if name.partition(".")[0] not in (*OURS, "__main__") and _source(path, root):
                files.add(path)
    digest = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{os.path.relpath(path, root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _source(path: Path, root: Path) -> bool:
    """Whether it is a code file in the method's folder, and not in a virtual environment below it."""
    inside = path.suffix == ".py" and path.is_relative_to(root) and "site-packages" not in path.parts
    return inside and path.is_file()  # some packages name files that do not exist


def packages() -> dict[str, str]:
    """Versions of the installed packages whose modules are loaded.

    `metadata.packages_distributions` finds the same, but it reads every package and takes some 0.3 s for each run.
    """
    tops = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
    found: dict[str, str] = {}
    for own in metadata.distributions():
        if _provides(own, tops):
            found.setdefault(own.metadata["Name"], own.version)  # the first on the search path is in use
    return dict(sorted(found.items()))


def _provides(package: metadata.Distribution, tops: Set[str]) -> bool:
    """Whether it claims one of these modules, or has a Python file in a folder with the module's name."""
    if said := (package.read_text("top_level.txt") or "").split():
        return not tops.isdisjoint(said)
    files = "\n" + (package.read_text("RECORD") or "")
    near = [top for top in tops if f"\n{top}/" in files or f"\n{top}.py," in files]
    return any(re.search(rf"^{re.escape(top)}(?:/[^,\n]*)?\.py,", files, re.MULTILINE) for top in near)


def reason_of(error: BaseException) -> str:
    """An exception in one line, with the place where it was raised."""
    where, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "/bench/guests/" not in file and "importlib" not in file:
            where = f" ({Path(file).name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{where}"


if __name__ == "__main__":
    main()
