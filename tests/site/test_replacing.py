"""A site replaces another as a whole: killed at any moment, and with forged lists of files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from bench.site.replacing import MANIFEST, SiteError, replaced, seal
from bench.store import sha256

PAGES = ("index.html", "cells/a/b.html", "static/site.css")
STEPS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "open", "shutil.rmtree")


def site(out: Path, version: str) -> Path:
    """Writes a small site there, or replaces the existing one."""
    with replaced(out) as folder:
        for page in PAGES:
            (folder / page).parent.mkdir(parents=True, exist_ok=True)
            (folder / page).write_text(f"{page} {version}")
        seal(folder, {}, {page: sha256(f"{page} {version}".encode()) for page in PAGES})
    return out


def whole(out: Path, version: str) -> bool:
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    return files == {*PAGES, MANIFEST} and all((out / page).read_text() == f"{page} {version}" for page in PAGES)


def killed_at(step: int, out: Path, version: str) -> bool:
    """Replaces the site in a process that dies before its step-th change; whether it died."""
    child = os.fork()
    if child == 0:
        left = [step]

        def hook(event: str, _: object) -> None:
            if event in STEPS:
                left[0] -= 1
                if not left[0]:
                    os._exit(9)

        sys.addaudithook(hook)
        site(out, version)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def test_a_kill_at_any_moment_loses_no_site(tmp_path: Path) -> None:
    steps = 0
    while True:
        steps += 1
        out = site(tmp_path / str(steps) / "site", "1")
        died = killed_at(steps, out, "2")
        aside = out.with_name(".site.old")
        assert whole(out, "1") or whole(out, "2") or (whole(aside, "1") and not out.exists()), steps
        assert whole(site(out, "3"), "3")
        assert [path.name for path in out.parent.iterdir()] == ["site"], steps
        if not died:
            break
    assert steps > 15


@pytest.mark.parametrize("listed", ["thesis.txt", "../thesis.txt", "{folder}/thesis.txt", "link/thesis.txt"])
def test_a_forged_list_deletes_nothing(tmp_path: Path, listed: str) -> None:
    """The list names a file that a site does not have, here, elsewhere, or through a link."""
    out, home = site(tmp_path / "site", "1"), tmp_path / "home"
    home.mkdir()
    for folder in (tmp_path, home, out):
        (folder / "thesis.txt").write_text("mine")
    (out / "link").symlink_to(home)
    manifest = json.loads((out / MANIFEST).read_text())
    manifest["files"] |= {listed.format(folder=home): "0" * 64}
    (out / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(SiteError, match="holds other files than a site: "):
        site(out, "2")
    assert all((folder / "thesis.txt").read_text() == "mine" for folder in (tmp_path, home, out))


def test_what_a_list_names_rightly_outside_stays(tmp_path: Path) -> None:
    """Even with the existing file's hash."""
    out, mine = site(tmp_path / "site", "1"), tmp_path / "thesis.txt"
    mine.write_text("mine")
    manifest = json.loads((out / MANIFEST).read_text())
    manifest["files"] |= {"../thesis.txt": sha256(b"mine"), str(mine): sha256(b"mine")}
    (out / MANIFEST).write_text(json.dumps(manifest))
    assert whole(site(out, "2"), "2")
    assert mine.read_text() == "mine"


def test_leftovers_of_somebody_else_are_kept(tmp_path: Path) -> None:
    out = site(tmp_path / "site", "1")
    (tmp_path / ".site.old").mkdir()
    (tmp_path / ".site.old" / "thesis.txt").write_text("mine")
    with pytest.raises(SiteError, match="holds other files than a site: thesis"):
        site(out, "2")
    assert whole(out, "1")
    assert (tmp_path / ".site.old" / "thesis.txt").read_text() == "mine"


def test_homes_and_roots_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    (tmp_path / "home" / "me").mkdir(parents=True)
    for out in (Path("/"), tmp_path / "home", tmp_path / "home" / "me", tmp_path / "home" / "x" / ".."):
        with pytest.raises(SiteError, match="the root folder, or one that contains your home"):
            site(out, "1")
    assert whole(site(tmp_path / "home" / "me" / "site", "1"), "1")


def test_two_at_once(tmp_path: Path) -> None:
    with replaced(tmp_path / "site"), pytest.raises(SiteError, match="another command is writing a site"):
        site(tmp_path / "site", "2")
