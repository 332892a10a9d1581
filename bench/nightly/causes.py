"""What broke, by cause, and the exit code that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.nightly.budget import Played
from bench.nightly.canaries import Outcome
from bench.nightly.references import Comparison
from bench.nightly.stored import CanaryFile

Cause = Literal["code changed", "dependency changed", "numbers moved", "a run failed", "nothing ran"]
CAUSES: tuple[Cause, ...] = ("code changed", "dependency changed", "numbers moved", "a run failed", "nothing ran")
WORSE, FAILED, NOTHING = 1, 3, 4  # exit codes
CODES: Mapping[Cause, int] = {
    "code changed": WORSE,
    "dependency changed": WORSE,
    "numbers moved": WORSE,
    "a run failed": FAILED,
    "nothing ran": NOTHING,
}
SHOWN = 5  # the most of a kind in one sentence


@dataclass(frozen=True)
class Finding:
    """fails: whether it makes the night fail. A new package does not, if every canary repeats under it."""

    cause: Cause
    says: str
    fails: bool = True


def changed_packages(stored: CanaryFile | None, here: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Versions that differ from those the canaries were made with: (then, now)."""
    then = stored.packages if stored else here
    names = dict.fromkeys([*then, *here])
    return {n: (then.get(n, "none"), here.get(n, "none")) for n in names if then.get(n) != here.get(n)}


def findings(
    canaries: Sequence[Outcome],
    packages: Mapping[str, tuple[str, str]],
    exact: bool,
    played: Played | None,
    comparisons: Sequence[Comparison],
) -> list[Finding]:
    """What broke. packages: the changed ones. exact: the stored canaries are of this class. played: None: not asked."""
    found = [*_canaries(canaries, packages, exact)]
    found += [Finding("numbers moved", _moved(c)) for c in comparisons if c.state == "moved"]
    found += [Finding("a run failed", f"canary {c.name}: {c.says}") for c in canaries if c.state == "failed"]
    if played:
        found += [Finding("a run failed", f"{name}: {why}; twice") for name, why in played.failed.items()]
        if played.broken:
            found.append(Finding("a run failed", played.broken))
    looked_at = [c for c in canaries if c.state not in ("missing", "absent")]
    if played is None and not looked_at:
        why = (
            "no canary here has a stored one to compare with" if canaries else "no canary of these suites can run here"
        )
        found.append(Finding("nothing ran", why))
    if played is not None and not (played.runs or played.failed or played.broken):
        why = _too_short(played) if played.postponed else "no cell of profile nightly can run here"
        found.append(Finding("nothing ran", why))
    return found


def _too_short(played: Played) -> str:
    canaries = f"canaries took {played.before_s:.0f} s"
    least = min(played.needs.values())
    needed = f"the shortest cell needs about {least:.0f} s"
    return f"the time allows no cell: {canaries}, {needed}; --budget {played.enough} would do"


def exit_code(found: Sequence[Finding]) -> int:
    """0 if nothing failed, else the code of the gravest cause."""
    return min((CODES[f.cause] for f in found if f.fails), default=0)


def _canaries(canaries: Sequence[Outcome], packages: Mapping[str, tuple[str, str]], exact: bool) -> Iterator[Finding]:
    versions = ", ".join(f"{name} {then} -> {now}" for name, (then, now) in packages.items())
    differs = [c for c in canaries if c.state == "differs"]
    other = [c for c in canaries if c.state in ("settings", "gone")]
    if differs:
        beyond = "" if exact else " by more than the tolerance for unknown platform classes"
        parted = f"{len(differs)} of {len(canaries)} canaries differ{beyond}: {_some(differs)}"
        if packages:
            yield Finding("dependency changed", f"{versions}; {parted}")
        else:
            yield Finding("code changed", f"no package changed; {parted}")
    elif packages:
        same = "every canary with a stored one still agrees"
        yield Finding("dependency changed", f"{versions}; {same}", fails=False)
    if other:
        yield Finding(
            "code changed", f"{len(other)} of {len(canaries)} canaries are not those that are stored: {_some(other)}"
        )


def _some(outcomes: Sequence[Outcome]) -> str:
    shown = "; ".join(f"{c.name}: {c.says}" for c in outcomes[:SHOWN])
    return shown + (f"; and {len(outcomes) - SHOWN} more" if len(outcomes) > SHOWN else "")


def _moved(c: Comparison) -> str:
    direction = "better" if c.shift > 0 else "worse"
    where = "" if c.name.endswith(f" on {c.scenario}") else f" in {c.scenario}"
    return (
        f"{c.name}{where}: {direction} by {abs(c.shift):.4g} than the {c.against} seeds "
        f"({len(c.recent)} recent against {len(c.known)}; p = {c.p:.2g}, asked: {c.level:.2g})"
    )
