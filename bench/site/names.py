"""File names and addresses of pages. Ids come from outside: none of them may leave the site or hide another."""

from __future__ import annotations

import re

from bench.plan import digest


def file_name(id_: str) -> str:
    """A name that is safe in a folder and in an address, different for different ids, on any file system."""
    if re.fullmatch(r"[a-z0-9_]{1,64}", id_):
        return id_
    return f"{re.sub(r'[^a-z0-9_]+', '-', id_.lower())[:64]}-{digest(id_)}"


def suite_page(suite: str, profile: str = "full") -> str:
    return f"suites/{file_name(suite)}{'' if profile == 'full' else '.' + file_name(profile)}.html"


def cell_page(suite: str, key: str) -> str:
    return f"cells/{file_name(suite)}/{file_name(key)}.html"


def audit_page(suite: str) -> str:
    return f"audits/{file_name(suite)}.html"


def badge(suite: str) -> str:
    return f"badges/{file_name(suite)}.svg"


def tables_file(suite: str, profile: str, form: str) -> str:
    """form: of `bench report --format`."""
    return suite_page(suite, profile).removesuffix("html") + {"latex": "tex"}.get(form, form)
