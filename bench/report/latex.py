"""Tables in LaTeX with booktabs. Every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_\allowbreak{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "\n": " ",
    "\r": " ",
    "[": "{[}",
    "]": "{]}",
}
TEXT_WIDTH = 0.95  # of the line
LATIN_END = 0x100  # T1 has all printable characters of Latin-1


def escaped(text: str) -> str:
    """Any text as LaTeX that prints it; characters that the T1 fonts may lack are printed as code points."""
    return "".join(SPECIAL.get(c, c if c.isprintable() and ord(c) < LATIN_END else _named(c)) for c in text)


def latex_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], wide: int | None = None) -> list[str]:
    """A longtable with booktabs' rules, whose columns share the line. wide: the column that has three shares."""
    shares = [3 if i == wide else 1 for i in range(len(head))]
    unit = TEXT_WIDTH / sum(shares)
    columns = "".join(
        rf">{{\raggedright\arraybackslash}}p{{\dimexpr {unit * s:.4f}\linewidth-2\tabcolsep}}" for s in shares
    )
    top = " & ".join(map(escaped, head)) + r" \\"
    return [
        "",
        rf"\begin{{longtable}}{{{columns}}}",
        rf"\caption{{{escaped(caption)}}}\\",
        r"\toprule",
        top,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endlastfoot",
        *(" & ".join(map(escaped, row)) + r" \\" for row in rows),
        r"\end{longtable}",
    ]


def _named(character: str) -> str:
    return f"{{[}}U+{ord(character):04X}{{]}}"
