"""Addresses: whatever the id, its page stays inside the site and hides no other."""

import posixpath

from hypothesis import example, given
from hypothesis import strategies as st

from bench.site.names import badge, cell_page, file_name, suite_page
from tests.suites import ids

ANY = st.one_of(ids, st.text(max_size=80))


@given(ANY)
@example("a/../../../etc/passwd")
@example("CON")
@example(".")
def test_addresses_stay_where_they_belong(id_: str) -> None:
    for address, folder in ((suite_page(id_, id_), "suites"), (cell_page("s", id_), "cells/s"), (badge(id_), "badges")):
        assert posixpath.normpath(address) == address
        assert posixpath.dirname(address) == folder
        assert not set(address) - set("abcdefghijklmnopqrstuvwxyz0123456789_-./")


@given(ANY, ANY)
@example("Spread", "spread")
@example("a/b", "a-b")
@example("a.b", "a/b")
def test_different_ids_have_different_names_on_any_file_system(a: str, b: str) -> None:
    assert (file_name(a).lower() == file_name(b).lower()) == (a == b)


def test_plain_ids_are_their_own_names() -> None:
    assert file_name("mkt_marl") == "mkt_marl"
    assert suite_page("knowru") == "suites/knowru.html"
    assert suite_page("knowru", "nightly") == "suites/knowru.nightly.html"
