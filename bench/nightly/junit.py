"""A night as JUnit XML, which every CI shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from bench.nightly.checking import Check
from bench.output.escaping import visible


def junit(done: Check) -> bytes:
    """Three suites: canaries, cells, comparisons. A postponed cell is skipped; what broke is a failure."""
    root = ElementTree.Element("testsuites", name=f"bench nightly {done.night}")
    bad = {"differs": "canary differs", "settings": "settings changed", "gone": "canary gone"}
    states = {"absent": "missing"}
    cases = [Case(c.name, bad.get(c.state), c.says, states.get(c.state, c.state), c.seconds) for c in done.canaries]
    _suite(root, "canaries", cases)
    if done.played is not None:
        played, names = done.played, {e.cell.key: e.name for e in done.evidence}
        ran = [
            Case(f"{names[key]}: {len(runs)} runs", None, "", "same", played.seconds.get(key, 0.0))
            for key, runs in played.finished.items()
        ]
        lost = [Case(name, None, why, "failed") for name, why in played.failed.items()]
        late = [Case(name, None, why, "missing") for name, why in played.postponed.items()]
        _suite(root, "runs", [*ran, *lost, *late])
        rows = [
            Case(
                f"{c.name} in {c.scenario} against {c.against}",
                "numbers moved" if c.state == "moved" else None,
                f"shift {c.shift:.4g}, p = {c.p:.2g}, asked {c.level:.2g}",
                "missing" if c.state == "too few seeds" else c.state,
            )
            for c in done.comparisons
        ]
        _suite(root, "comparisons", rows)
    if any(f.cause == "nothing ran" for f in done.findings):
        _suite(root, "night", [Case("something ran", "nothing ran", done.headline, "failed")])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


class Case(NamedTuple):
    """failure: what failed, if anything. says: the text shown with it. seconds: for a cell, with its teachers' runs."""

    name: str
    failure: str | None
    says: str
    state: str
    seconds: float = 0.0


def _suite(root: ElementTree.Element, name: str, cases: Sequence[Case]) -> None:
    errors = sum(c.failure is None and c.state == "failed" for c in cases)
    counts = {"tests": len(cases), "failures": sum(c.failure is not None for c in cases), "errors": errors}
    counts |= {"skipped": sum(c.state == "missing" for c in cases)}
    about = {"name": name, "time": f"{sum(c.seconds for c in cases):.3f}"} | {k: str(v) for k, v in counts.items()}
    suite = ElementTree.SubElement(root, "testsuite", about)
    for case, failure, says, state, seconds in cases:
        own = {"classname": name, "name": visible(case), "time": f"{seconds:.3f}"}
        element = ElementTree.SubElement(suite, "testcase", own)
        if failure is not None:
            ElementTree.SubElement(element, "failure", message=failure).text = visible(says)
        elif state == "failed":
            ElementTree.SubElement(element, "error", message="a run failed").text = visible(says)
        elif state == "missing":
            ElementTree.SubElement(element, "skipped", message=visible(says))
        elif says:
            ElementTree.SubElement(element, "system-out").text = visible(says)
