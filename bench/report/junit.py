"""A night as JUnit XML, which every CI shows."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from bench.nightly.checking import Check


def junit(done: Check) -> bytes:
    """Three suites: canaries, cells, comparisons. What the time did not allow is skipped, what broke is a failure."""
    root = ElementTree.Element("testsuites", name=f"bench nightly {done.night}")
    bad = {"differs": "canary differs", "settings": "settings changed", "gone": "canary gone"}
    _suite(root, "canaries", [(c.name, bad.get(c.state), c.says, c.state) for c in done.canaries])
    if done.played is not None:
        played, names = done.played, {e.cell.key: e.name for e in done.evidence}
        ran = [(f"{names[key]}: {len(runs)} runs", None, "", "same") for key, runs in played.finished.items()]
        lost = [(name, None, why, "failed") for name, why in played.failed.items()]
        late = [(name, None, why, "missing") for name, why in played.postponed.items()]
        _suite(root, "runs", [*ran, *lost, *late])
        rows = [
            (
                f"{c.name} in {c.scenario} against {c.against}",
                "numbers moved" if c.state == "moved" else None,
                f"shift {c.shift:.4g}, p = {c.p:.2g}, asked {c.level:.2g}",
                "missing" if c.state == "too few seeds" else c.state,
            )
            for c in done.comparisons
        ]
        _suite(root, "comparisons", rows)
    if any(f.cause == "nothing ran" for f in done.findings):
        _suite(root, "night", [("something ran", "nothing ran", done.headline, "failed")])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _suite(root: ElementTree.Element, name: str, cases: Sequence[tuple[str, str | None, str, str]]) -> None:
    """cases: name, what failed if anything, what there is to say, and the state."""
    failures, errors = (sum(c[1] is not None for c in cases), sum(c[1] is None and c[3] == "failed" for c in cases))
    skipped = sum(c[3] == "missing" for c in cases)
    counts = {"tests": len(cases), "failures": failures, "errors": errors, "skipped": skipped}
    suite = ElementTree.SubElement(root, "testsuite", {"name": name} | {k: str(v) for k, v in counts.items()})
    for case, failure, says, state in cases:
        element = ElementTree.SubElement(suite, "testcase", {"classname": name, "name": case})
        if failure is not None:
            ElementTree.SubElement(element, "failure", message=failure).text = _clean(says)
        elif state == "failed":
            ElementTree.SubElement(element, "error", message="a run failed").text = _clean(says)
        elif state == "missing":
            ElementTree.SubElement(element, "skipped", message=_clean(says))
        elif says:
            ElementTree.SubElement(element, "system-out").text = _clean(says)


def _clean(text: str) -> str:
    """Without the control characters that XML 1.0 does not allow."""
    return "".join(c for c in text if c in "\t\n" or ord(c) >= 32)
