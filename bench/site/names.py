"""File names and addresses of pages. Ids come from outside: none of them may lead out of the site or hide another."""

from __future__ import annotations

from bench import store


def file_name(id_: str) -> str:
    """A name that is safe in a folder and in an address, different for different ids, on any file system."""
    return store.file_name(id_, cased=False)


def suite_page(suite: str, profile: str = "full") -> str:
    return f"suites/{file_name(suite)}{'' if profile == 'full' else '.' + file_name(profile)}.html"


def cell_page(suite: str, key: str) -> str:
    return f"cells/{file_name(suite)}/{file_name(key)}.html"


def method_page(suite: str, method: str) -> str:
    return f"methods/{file_name(suite)}/{file_name(method)}.html"


def audit_page(suite: str) -> str:
    return f"audits/{file_name(suite)}.html"


def badge(suite: str) -> str:
    return f"badges/{file_name(suite)}.svg"


FRONT_CARD = "card.png"  # of the first page


def card(suite: str, profile: str) -> str:
    return f"cards/{suite_page(suite, profile).removeprefix('suites/').removesuffix('html')}png"


def tables_file(suite: str, profile: str, form: str) -> str:
    """form: of `bench report --format`."""
    return suite_page(suite, profile).removesuffix("html") + {"latex": "tex"}.get(form, form)


def claim_anchor(claim: str, experiment: str) -> str:
    """The id of a claim's row on its suite's page."""
    return f"claim-{store.file_name(claim, experiment, cased=False)}"


def joint_anchor(name: tuple[str, ...]) -> str:
    """The id of a chart of several methods on its suite's page."""
    return f"joint-{store.file_name(*name, cased=False)}"


def joint_file(suite: str, profile: str, name: tuple[str, ...], form: str) -> str:
    """form: "js", its seeds; "png", its picture."""
    return f"curves/{file_name(suite)}/{store.file_name(profile, *name, cased=False)}.{form}"


def readings_anchor(claim: str, experiment: str) -> str:
    """The id of a claim's figure on its suite's page."""
    return f"readings-{store.file_name(claim, experiment, cased=False)}"


def readings_figure(suite: str, profile: str, claim: str, experiment: str) -> str:
    return f"readings/{file_name(suite)}/{store.file_name(profile, claim, experiment, cased=False)}.svg"
