"""new: a complete suite file, or a complete method, to start from."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from bench import starters
from bench.commands.verbs import Verbs
from bench.output.terminal import say
from bench.plan import COMMAND_LINE
from bench.store import write_atomically
from bench.suite import SuiteError
from bench.suite.explain import Problem, shown
from bench.suite.shipped import available

STARTERS = Path(starters.__file__).parent
NAME = re.compile(r"[a-z][a-z0-9_]*")  # what Python imports, and what a suite's id may be
Name = Annotated[str, typer.Argument(metavar="NAME", help="small letters, digits and _; also the file's name")]
Folder = Annotated[Path, typer.Option("--in", metavar="FOLDER", help="where the file is written")]

app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Write a small, complete file to start from; it runs unchanged.",
)


@app.command("suite")
def suite_(name: Name, folder: Folder = Path()) -> None:
    """Write NAME.toml: a paper as data, with every table that most papers need, explained."""
    if name in available():
        raise SuiteError(COMMAND_LINE, [Problem("NAME", shown(name), "no shipped suite's id", "choose another one")])
    path = _written(folder / f"{name}.toml", (STARTERS / "suite.toml").read_text("utf-8").replace("my_paper", name))
    _tell(path, f"bench validate {path}", f"bench run {path} --profile smoke --report")


@app.command("method")
def method_(name: Name, folder: Folder = Path()) -> None:
    """Write NAME.py: a method with random actions that `bench compare` can run on a suite."""
    if NAME.fullmatch(name) and (why := _taken(name)):
        problem = Problem("NAME", shown(name), "a name that no other module has", f"choose another one: {why}")
        raise SuiteError(COMMAND_LINE, [problem])
    path = _written(folder / f"{name}.py", (STARTERS / "method.py").read_text("utf-8"))
    smoke = "--suite knowru --profile smoke --only spread/II --against maddpg --run-baselines"
    _tell(path, *([f"cd {folder}"] if folder != Path() else []), f"bench compare {name}:train {smoke}")


def _taken(name: str) -> str:
    """What a module of this name would be confused with; "" if the name is free."""
    if name in sys.stdlib_module_names:
        return f"Python has a module {name}"
    return f"a module {name} is installed" if find_spec(name) else ""


def _written(path: Path, text: str) -> Path:
    """Raises SuiteError for an invalid name, a missing folder and an existing file."""
    if not NAME.fullmatch(path.stem) or len(path.stem) > 64:
        allowed = "small letters, digits and _, a letter first, 64 at most"
        raise SuiteError(COMMAND_LINE, [Problem("NAME", shown(path.stem), allowed, "choose another one")])
    if not path.parent.is_dir():
        raise SuiteError(
            COMMAND_LINE, [Problem("--in", shown(str(path.parent)), "a folder", "make it, or name another")]
        )
    if path.exists():
        mend = "choose another name, or move the file away: nothing is overwritten"
        raise SuiteError(COMMAND_LINE, [Problem("NAME", shown(path.stem), f"no file {path}", mend)])
    write_atomically(path, text.encode())
    return path


def _tell(path: Path, *commands: str) -> None:
    say(f"wrote {path}", "next:", *(f"  {command}" for command in commands))
