"""What one import reads: a file, or a folder of files with one run in each."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.exchange import ExchangeError, marl_eval, table
from bench.exchange.candidates import Candidate, Refused, place_of
from bench.exchange.declaration import Declaration
from bench.exchange.imported import Format, Source
from bench.store import sha256
from bench.suite.explain import Problem, shown
from bench.suite.foreign import read_bytes

SUFFIXES: Mapping[Format, str] = {"marl-eval": "json", "csv": "csv"}
MOST_FILES = 10_000
MOST_SEEN = 200_000  # files and folders that the search examines
NAME_IT = "name the folder that has the results"
MOST_BYTES = 2**26  # in a file


@dataclass(frozen=True)
class Gathered:
    """The runs of a file or folder, and refused parts of it."""

    source: Source
    candidates: list[Candidate]
    refused: list[Refused]


def gather(path: Path, format_: Format, declared: Declaration) -> Gathered:
    """Raises ExchangeError. In a folder, a bad file is refused by name; it is an error only if no file fits."""
    if declared.columns and format_ != "csv":
        got, mend = shown(dict(declared.columns)), "remove them"
        raise ExchangeError(path, [Problem("columns", got, "none: this format has no columns", mend)])
    if not path.is_dir():
        content = _read(path)
        runs, refused = _runs(content, path, format_, declared, {})
        return Gathered(Source(file=path.name, format=format_, sha256=sha256(content)), runs, refused)
    candidates: list[Candidate] = []
    unread: list[Refused] = []
    hashes = []
    for name, given in _chosen(path, format_, declared):
        try:
            content = _read(path / name)
            hashes.append(f"{sha256(content)}  {name}\n")
            runs, refused = _runs(content, path / name, format_, declared, given)
        except ExchangeError as error:
            (problem,) = error.problems
            why = f"{problem.key}: {problem.got}; allowed: {problem.allowed}"
            unread.append(Refused(place=place_of([name]), why=why))
            continue
        candidates += [dataclasses.replace(run, place=f"{place_of([name])}: {run.place}") for run in runs]
        unread += [Refused(place=f"{place_of([name])}: {run.place}", why=run.why) for run in refused]
    source = Source(file=path.resolve().name, format=format_, sha256=sha256("".join(hashes).encode()))
    return Gathered(source, candidates, unread)


def _runs(
    content: bytes, path: Path, format_: Format, declared: Declaration, in_path: Mapping[str, str]
) -> tuple[list[Candidate], list[Refused]]:
    given, final = {**declared.fixed, **in_path}, declared.final == "final"
    if format_ == "csv":
        return table.parse(content, path, {**declared.columns}, given, final)
    candidates, refused = marl_eval.parse(content, path, declared.column, final)
    named = {"method": "method", "scenario": "task", "seed": "seed"}
    changes = {named[key]: value for key, value in given.items()}
    return [dataclasses.replace(run, **changes) for run in candidates], refused


def _chosen(folder: Path, format_: Format, declared: Declaration) -> Iterator[tuple[str, dict[str, str]]]:
    """Files by their path in the folder, in order, with the values in the path."""
    pattern = declared.path or f"**/*.{SUFFIXES[format_]}"
    expected = re.compile(_expression(pattern))
    names = sorted(_names(folder))
    chosen = [(name, found.groupdict()) for name in names if (found := expected.fullmatch(name))]
    if not 0 < len(chosen) <= MOST_FILES:
        mend = "name the right folder, or give the files' pattern as path in the protocol"
        got = f"{len(chosen)} files like {pattern} among {len(names)}"
        raise ExchangeError(folder, [Problem("(folder)", got, f"1 to {MOST_FILES:,}", mend)])
    yield from chosen


def _names(folder: Path) -> Iterator[str]:
    """Paths of the files in a folder and its subfolders. Raises ExchangeError if one of these cannot be read."""
    seen = 0
    try:
        for path in folder.rglob("*"):
            if (seen := seen + 1) > MOST_SEEN:
                problem = Problem("(folder)", f"more than {MOST_SEEN:,} files", "those of the results", NAME_IT)
                raise ExchangeError(folder, [problem])
            if not path.is_dir():  # a pipe is refused by name, like any unreadable file
                yield path.relative_to(folder).as_posix()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        got = f"{where}{error.strerror or error}"
        raise ExchangeError(folder, [Problem("(folder)", got, "a folder that is fully readable", NAME_IT)]) from None


def _expression(pattern: str) -> str:
    """A path with {names} and * as a regular expression; ** stands for any folders."""
    parts = re.split(r"(\*\*/|\*|\{\w+\})", pattern)
    special = {"**/": r"(?:.*/)?", "*": r"[^/]*"}
    return "".join(
        special[p] if p in special else f"(?P<{p[1:-1]}>[^/]+?)" if p.startswith("{") else re.escape(p) for p in parts
    )


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path, MOST_BYTES)
    except OSError as error:
        problem = Problem("(file)", error.strerror or str(error), "a file that can be read", "correct the path")
        raise ExchangeError(path, [problem]) from None
