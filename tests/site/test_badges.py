"""Badges: their text, and that they are sound SVG whatever the suite's name."""

import itertools
from xml.etree import ElementTree

from bench.site.badges import PAD, parts
from bench.verdict import CODES

NONE = dict.fromkeys(CODES, 0)


def texts(**counts: int) -> list[str]:
    return [part.text for part in parts("knowru", 2, NONE | counts)]


def test_what_a_badge_says() -> None:
    assert texts(reproduced=9, exceeds=1, not_reproduced=3, inconclusive=2, not_run=4) == [
        "knowru v2",
        "✓ 10 reproduced",
        "✗ 3 not",
        "? 2 open",
        "– 4 not judged",
    ]
    assert texts(reproduced=1, not_run=2, not_comparable=1)[-1] == "– 3 not judged"
    assert texts(reproduced=1) == ["knowru v2", "✓ 1 reproduced", "✗ 0 not"]
    assert texts(not_run=5) == ["knowru v2", "not run"]
    assert texts(not_run=5, not_comparable=1) == ["knowru v2", "not comparable"]


def test_parts_lie_side_by_side() -> None:
    found = parts("knowru", 2, NONE | {"reproduced": 9})
    for left, right in itertools.pairwise(found):
        assert right.x == left.x + left.width
    assert all(part.width > 2 * PAD for part in found)


def test_the_file_is_sound_svg(site) -> None:
    for path in sorted((site / "badges").iterdir()):
        root = ElementTree.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.get("role") == "img"
        assert {element.tag.partition("}")[2] for element in root.iter()} <= {
            "svg",
            "title",
            "clipPath",
            "g",
            "rect",
            "text",
        }
