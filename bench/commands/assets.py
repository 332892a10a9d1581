"""asset: files that scenarios need and the project does not ship."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import Json, print_json, terminal
from bench.commands.verbs import Verbs
from bench.output.tables import print_table
from bench.output.terminal import say
from bench.plan import COMMAND_LINE
from bench.report.assets import assets_table, taken_lines
from bench.store.assets import rows, taken
from bench.suite import SuiteError
from bench.suite.assets import FOLDER, everywhere, own_folder
from bench.suite.explain import Problem

app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Take in files that scenarios name by their hash (opponents, data sets, maps), and list them.",
)
Folder = Annotated[
    Path | None,
    typer.Option("--assets", help=f"the folder that holds them; default: ${FOLDER}, else the user's data folder"),
]


@app.command()
def add(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="a known file, an opponent as safetensors, or MSLR-WEB30K's folder")
    ],
    meant: Annotated[str | None, typer.Option("--as", metavar="ID", help="the asset that FILE is meant to be")] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Take a file in: check its SHA-256, convert it if needed, keep it where runs look for it."""
    found = taken(file, meant)
    path = found.write(_folder(folder))
    if as_json:
        print_json({"path": str(path), "id": found.id, "kind": found.kind, "file": found.name})
        return
    say(*taken_lines(path, found))
    if path.parent not in everywhere().folders:
        say(f"for runs to look there, set {FOLDER}={path.parent}")


@app.command("ls")
def ls(folder: Folder = None, as_json: Json = False) -> None:
    """List known assets and those that are here: id, kind, whether it is here, where to get it."""
    found = rows(everywhere(folder.absolute() if folder else None))
    if as_json:
        print_json(found)
    else:
        print_table(terminal(), assets_table(found))


def _folder(given: Path | None) -> Path:
    if (folder := given or own_folder()) is None:
        problem = Problem("--assets", "nothing, and there is no home folder", "a folder", f"name one, or set {FOLDER}")
        raise SuiteError(COMMAND_LINE, [problem])
    return folder.absolute()
