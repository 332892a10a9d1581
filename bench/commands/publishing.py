"""leaderboard: a static site of what the results say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import BAD_USAGE, NOTHING_RUN, RESULTS, Json, Results, print_json
from bench.site.archive import Archive
from bench.site.build import SiteError, build
from bench.suite.loading import available, load


def leaderboard(
    out: Annotated[Path, typer.Option(help="the folder of the site; a site that is there is replaced")] = Path("site"),
    suite: Annotated[list[str] | None, typer.Option(help="a suite's name or file; may be repeated")] = None,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Build the leaderboard as a static site that needs no server; prints the path of its first page."""
    suites = [load(name) for name in suite or available()]
    archive = Archive(results)
    try:
        manifest = build(suites, archive, out)
    except SiteError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(BAD_USAGE) from error
    for problem in archive.damaged:
        print(f"not counted: {problem}", file=sys.stderr)
    if as_json:
        print_json({"site": str(out / "index.html")} | manifest)
    else:
        print(f"site: {out / 'index.html'}")
    if not archive.size:
        print(f"nothing was run: no record in {results}", file=sys.stderr)
        raise typer.Exit(NOTHING_RUN)
