"""Training until decided, in words and for programs."""

from __future__ import annotations

from typing import Any

from bench.executors.until import Round
from bench.output.escaping import line
from bench.verdict.waiting import Standing

NAMED = 8  # open claims that a line names


def round_line(now: Round) -> str:
    """What is decided after a look, and what the next one trains."""
    found = [one for one in now.standings if one.seeds]
    open_ = [one for one in now.standings if not one.decided]
    further = f"the next look is at {_list({*now.wanted.values()})} seeds"
    if not found:
        return f"looks: none yet; {further}" if now.wanted else "looks: nothing that runs can decide"
    decided = f"{len(now.standings) - len(open_)} of {len(now.standings)} claims and printed values are decided"
    says = f"looks: after {_list({one.seeds for one in found})} seeds {decided}"
    if not open_:
        return says
    return line(f"{says}; {further if now.wanted else 'no look is left'}; open: {_named(open_)}")


def rounds_json(rounds: list[Round]) -> list[dict[str, Any]]:
    """What `bench run --until-decided --json` prints of each look."""
    return [
        {
            "decided": sum(one.decided for one in now.standings),
            "of": len(now.standings),
            "open": [_id(one) for one in now.standings if not one.decided],
            "wanted": now.wanted,
        }
        for now in rounds
    ]


def _list(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def _named(open_: list[Standing]) -> str:
    names = list(dict.fromkeys(map(_id, open_)))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _id(one: Standing) -> str:
    return f"{one.verdict.id} in {one.verdict.experiment}"
