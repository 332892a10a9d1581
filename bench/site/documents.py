"""The project's own documents as pages: how verdicts are made, what a submission needs."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

DOCUMENTS = {
    "verdicts": "How verdicts are made",
    "statistics": "Error rates, simulated",
    "suite-files": "Suite files",
    "leaderboard": "This site, and how to submit",
    "revisions": "What changed in the suites",
    "changelog": "Changelog",
}


@dataclass(frozen=True)
class Document:
    name: str
    title: str
    html: str  # of our own text, raw HTML in it escaped


def folder() -> Path:
    """Where the documents are: in the wheel beside this file, in a checkout in docs/."""
    inside = Path(__file__).parent / "docs"
    return inside if inside.is_dir() else Path(__file__).parent.parent.parent / "docs"


def _path(name: str) -> Path:
    """In a checkout the changelog lies beside docs/."""
    inside = folder() / f"{name}.md"
    return folder().parent / "CHANGELOG.md" if name == "changelog" and not inside.is_file() else inside


def documents() -> list[Document]:
    """Every document that the site has a page for."""
    return [Document(name, title, html(_path(name).read_text(encoding="utf-8"))) for name, title in DOCUMENTS.items()]


def html(markdown: str) -> str:
    """Markdown -> HTML. Links between documents lead to their pages; links to what the site lacks become text."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(markdown)
    for opening, token in zip([None, *tokens], tokens, strict=False):
        if opening is not None and opening.type == "heading_open":
            opening.attrSet("id", anchor(token.content))
        if token.children is not None:
            token.children = _linked(token.children)
        elif token.type == "table_open":
            token.attrSet("class", "text")
    return (
        reader.renderer.render(tokens, reader.options, {})
        .replace("<table", SCROLL + "<table")
        .replace("</table>", "</table></div>")
    )


SCROLL = '<div class="scroll" tabindex="0" role="region" aria-label="table">'


def anchor(heading: str) -> str:
    """The id that a heading's links name, as GitHub has it: "Against a printed value" -> "against-a-printed-value"."""
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def _linked(children: list[Token]) -> list[Token]:
    kept: list[Token] = []
    open_: list[bool] = []  # whether each link around is kept
    for token in children:
        if token.type == "link_open":
            target = _target(str(token.attrGet("href")))
            open_.append(target is not None)
            if target is None:
                continue
            token.attrSet("href", target)
        elif token.type == "link_close" and not open_.pop():
            continue
        kept.append(token)
    return kept


def _target(href: str) -> str | None:
    if href.startswith(("https://", "#")):
        return href
    path, _, anchor = href.partition("#")
    name = posixpath.basename(path).removesuffix(".md")
    return f"{name}.html" + (f"#{anchor}" if anchor else "") if path.endswith(".md") and name in DOCUMENTS else None
