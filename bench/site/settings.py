"""A site's settings beside its suites and results: its own address and the project's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from bench.suite.parts import Paper

PACKAGE = "marl-distill-bench"
SCHEMES = ("https://", "http://")


@dataclass(frozen=True)
class Settings:
    """Addresses without a slash at their end. An unknown one is "", and nothing links there.

    repository: the project's; links to commits and files have GitHub's form. issues: the project's. address: the site's
    own; without it link previews name their picture relative to the page. pictures: whether there are PNG files.
    """

    repository: str = ""
    issues: str = ""
    address: str = ""
    pictures: bool = True

    def commit(self, commit: str) -> str:
        return f"{self.repository}/commit/{commit}" if self.repository else ""

    def file(self, path: str) -> str:
        return f"{self.repository}/blob/HEAD/{path}" if self.repository else ""

    @property
    def submit(self) -> str:
        """The address of a form for a result."""
        return f"{self.issues}/new?template=result.yml" if self.issues else ""


NOWHERE = Settings()


def paper_links(paper: Paper) -> Iterator[tuple[str, str]]:
    """Where a paper and its authors' code are: words and address."""
    if paper.doi:
        yield f"doi:{paper.doi}", f"https://doi.org/{paper.doi}"
    if paper.arxiv:
        yield f"arXiv:{paper.arxiv}", f"https://arxiv.org/abs/{paper.arxiv}"
    for own in paper.code:
        place, _, commit = own.partition("@")
        yield f"code: {own}", f"https://github.com/{place}" + (f"/tree/{commit}" if commit else "")


def declared() -> dict[str, str]:
    """The project's own addresses, by their names in lower case, as the installed package declares them."""
    try:
        lines = metadata.metadata(PACKAGE).get_all("Project-URL") or []
    except metadata.PackageNotFoundError:  # a checkout that was never installed
        return {}
    pairs = (line.partition(", ")[::2] for line in lines)
    return {name.strip().lower(): url.strip().rstrip("/") for name, url in pairs}
