"""leaderboard: a static site of the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import RESULTS, Json, Results, print_json
from bench.commands.verbs import BAD_USAGE, NOTHING_RUN
from bench.exchange.imported import imports
from bench.nightly.history import NightRecord, nights
from bench.nightly.stored import accepted_path, pinned_path, reference
from bench.output.terminal import say, warn
from bench.output.waiting import doing
from bench.plan import COMMAND_LINE
from bench.site.archive import Archive
from bench.site.build import build
from bench.site.changes import Moved, News, Night
from bench.site.replacing import SiteError, require_replaceable
from bench.site.settings import SCHEMES, Settings, declared
from bench.store import StoreError
from bench.suite import Suite, SuiteError
from bench.suite.explain import Problem, shown
from bench.suite.loading import load
from bench.suite.shipped import available


def leaderboard(
    out: Annotated[Path, typer.Option(help="the folder of the site; an existing site is replaced")] = Path("site"),
    suite: Annotated[list[str] | None, typer.Option(help="a suite's name or file; may be repeated")] = None,
    results: Results = RESULTS,
    repository: Annotated[
        str, typer.Option(metavar="URL", help="the project's address; default: the one that the package declares")
    ] = "",
    address: Annotated[str, typer.Option(metavar="URL", help="the site's own address, for link previews")] = "",
    since: Annotated[
        Path | None, typer.Option(help="the folder of an older site, to show which verdicts changed")
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="with PNG files of curves, which take longest")
    ] = True,
    as_json: Json = False,
) -> None:
    """Build the leaderboard as a static site that needs no server, and print the path of its first page."""
    settings = _settings(repository, address, pictures)
    suites = [load(name) for name in suite or available()]
    _require_distinct(suites)
    try:
        require_replaceable(out)  # before reading, which takes minutes
    except SiteError as error:
        warn(error)
        raise typer.Exit(BAD_USAGE) from error
    doing("reading records")
    archive = Archive(results, suites)
    for problem in (*archive.damaged, *imports(results).damaged.values()):
        warn(f"not counted: {problem}")
    if not archive.size:  # an existing site is worth more than an empty one
        warn(f"nothing was run: no record in {results}; no site was written")
        raise typer.Exit(NOTHING_RUN)
    doing("building the site")
    try:
        manifest = build(suites, archive, out, settings, _news(results, since))
    except SiteError as error:
        warn(error)
        raise typer.Exit(BAD_USAGE) from error
    except OSError as error:
        raise StoreError(f"the site in {out} cannot be written: {error.strerror or error}") from error
    if as_json:
        print_json({"site": str(out / "index.html")} | manifest)
    else:
        say(f"site: {out / 'index.html'}")


def _settings(repository: str, address: str, pictures: bool) -> Settings:
    """The site's settings. An address that is not given is the package's own, or empty. Raises SuiteError."""
    for option, url in (("--repository", repository), ("--address", address)):
        if url and not url.startswith(SCHEMES):
            problem = Problem(option, shown(url), "an address that begins with https://", f"e.g. {option} https://...")
            raise SuiteError(COMMAND_LINE, [problem])
    own = declared()
    project = repository.rstrip("/") or own.get("repository", "")
    issues = f"{project}/issues" if repository else own.get("issues", f"{project}/issues" if project else "")
    return Settings(project, issues, address.rstrip("/"), pictures)


def _news(results: Path, since: Path | None) -> News:
    """The nights of a results folder, and its references. Raises StoreError."""
    found, damaged = nights(results)
    for line in damaged:
        warn(f"not counted: {line}")
    kept = (("accepted", accepted_path(results)), ("pinned", pinned_path(results)))
    moved = [Moved(what, c.when, c.reason, c.commit) for what, path in kept for c in reference(path).changes]
    return News(tuple(map(_night, found)), tuple(moved), since)


def _night(record: NightRecord) -> Night:
    return Night(
        night=str(record.night),
        causes=tuple(dict.fromkeys(f.cause for f in record.findings if f.fails)),
        findings=tuple(f"{f.cause}: {f.says}" for f in record.findings),
        canaries=", ".join(f"{n} {state}" for state, n in record.canaries.items()),
        cells=len(record.cells),
        commit=record.commit,
    )


def _require_distinct(suites: Sequence[Suite]) -> None:
    """Raises SuiteError for two suites of one id: they would have the same page."""
    ids = [own.id for own in suites]
    twice = next((id_ for id_ in ids if ids.count(id_) > 1), None)
    if twice is not None:
        problem = Problem("--suite", f"two suites of the id {shown(twice)}", "each id once", "leave one of them out")
        raise SuiteError(COMMAND_LINE, [problem])
