"""A suite's verdicts as a small SVG for a README: symbols and words, readable without colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HEIGHT, PAD = 20, 7  # px
WIDE, NARROW, OTHER = "mwMW@%", "fijlrtI.,:;|' ", 6.4
FILL = {
    "name": "#24292f",
    "reproduced": "#00695c",
    "not_reproduced": "#a63603",
    "inconclusive": "#6b5300",
    "also_untrained": "#5b4a78",
    "not_run": "#57606a",
}


@dataclass(frozen=True)
class Part:
    """A stretch of the badge. x, width: px."""

    text: str
    fill: str
    x: float
    width: float

    @property
    def centre(self) -> float:
        return round(self.x + self.width / 2, 1)

    @property
    def length(self) -> float:
        """The length of the text, to which every font is stretched."""
        return round(self.width - 2 * PAD, 1)


def parts(suite: str, version: int, counts: Mapping[str, int]) -> list[Part]:
    """The suite, then how many claims were reproduced, were not, are open, say nothing, are not judged."""
    done, failed = counts["reproduced"] + counts["exceeds"], counts["not_reproduced"]
    texts = [(f"{suite} v{version}", "name")]
    open_ = counts["inconclusive"] + counts["depends_on_reading"]
    if done + failed + open_:
        texts += [(f"✓ {done} reproduced", "reproduced"), (f"✗ {failed} not", "not_reproduced")]
        texts += [(f"? {open_} open", "inconclusive")] if open_ else []
        empty = counts["also_untrained"]
        texts += [(f"○ {empty} also untrained", "also_untrained")] if empty else []
        unjudged = sum(counts[code] for code in ("not_run", "not_comparable", "undefined"))
        texts += [(f"– {unjudged} not judged", "not_run")] if unjudged else []
    else:
        texts.append(("not run" if not counts["not_comparable"] else "not comparable", "not_run"))
    found: list[Part] = []
    for text, kind in texts:
        x = found[-1].x + found[-1].width if found else 0.0
        found.append(Part(text, FILL[kind], round(x, 1), round(_width(text) + 2 * PAD, 1)))
    return found


def _width(text: str) -> float:
    """About how wide a text is in 11 px Verdana."""
    return sum(9.5 if c in WIDE else 4.0 if c in NARROW else OTHER for c in text)
