"""Sabotage: a copy of the packages is changed in one place, and the nightly check must catch it and name the cause.

Each check is a process that trains. So a few changes are tried here, and every change in tests/slow.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from bench.cli import main
from tests.conftest import ROOT
from tests.nightly.conftest import NIGHTLY
from tests.warm import Mother

Check = Callable[..., "subprocess.CompletedProcess[str]"]
TEAM, BASE, STUDENT = "team on two", "base on two", "student on three"
EVERY = (TEAM, BASE, "init on three", STUDENT)

# id: file, what stands there, what stands there instead, the canaries that must differ
CHANGES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "actor's loss, sign": (
        "baselines/maddpg.py",
        "logits.square().mean((-2, -1)) - q_own.mean(-1)",
        "logits.square().mean((-2, -1)) + q_own.mean(-1)",
        EVERY[1:],
    ),
    "distillation's loss, sign": (
        "baselines/knowru.py",
        "return alpha * loss_reuse +",
        "return -alpha * loss_reuse +",
        (STUDENT,),
    ),
    "TD error, sign": (
        "baselines/qmix.py",
        "return reduced((targets.detach() - q_tot).square()",
        "return -reduced((targets.detach() - q_tot).square()",
        (TEAM,),
    ),
    "soft target update, every other time": (
        "baselines/maddpg.py",
        "        soft_update(target_critic, detached(critic), h.tau)\n",
        "        if episodes_done % (2 * self.copies):\n"
        "            soft_update(target_critic, detached(critic), h.tau)\n",
        EVERY[1:],
    ),
    "hard target update, one update late": (
        "baselines/qmix.py",
        'counts["last_target_update"] >= h.target_update_interval:',
        'counts["last_target_update"] > h.target_update_interval:',
        (TEAM,),
    ),
    "reward, 2% more": (
        "bench/envs/particle/simple_spread.py",
        "return team.expand(",
        "return (1.02 * team).expand(",
        EVERY,
    ),
    "two actions swapped": (
        "bench/envs/particle/physics.py",
        "    push = actions[..., 1::2]",
        "    actions = actions[..., [0, 2, 1, 3, 4]]\n    push = actions[..., 1::2]",
        EVERY,
    ),
}


# One that the student alone must notice; what all must notice by a little is in TRIED_UNKNOWN.
TRIED = ("distillation's loss, sign",)
UNKNOWN = ("TD error, sign", "reward, 2% more", "two actions swapped", "actor's loss, sign")  # large ones
TRIED_UNKNOWN = ("reward, 2% more",)  # the smallest of them


def tree(folder: Path) -> Path:
    """A copy of the packages and suites, with byte code: Python recompiles files with another time or size."""
    for name in ("bench", "baselines", "suites"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def sabotage(folder: Path, change: str) -> None:
    file, old, new, _ = CHANGES[change]
    text = (folder / file).read_text()
    assert text.count(old) == 1, f"{file} has changed: say anew what to sabotage"
    (folder / file).write_text(text.replace(old, new))


def nightly(packages: Path, work: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*environment.pop("AHEAD", "").split(os.pathsep), str(packages)]).strip(os.pathsep)
    return subprocess.run(
        [sys.executable, "-m", "bench", "nightly", *arguments],
        cwd=work,
        env={name: value for name, value in os.environ.items() if name != "CI"}  # there it says less
        | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def nightly_here(mother: Mother, work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same with the packages unchanged, in this process."""
    said, told = io.StringIO(), io.StringIO()
    streams = contextlib.redirect_stdout(said), contextlib.redirect_stderr(told)
    with pytest.MonkeyPatch.context() as patch, streams[0], streams[1]:
        patch.chdir(work)
        patch.delenv("CI", raising=False)  # there it says less
        patch.setattr("sys.argv", ["bench", "nightly", *arguments])
        patch.setattr("bench.executors.local.subprocess", SimpleNamespace(Popen=mother.start, PIPE=subprocess.PIPE))
        with pytest.raises(SystemExit) as end:
            main()
    return subprocess.CompletedProcess(arguments, int(end.value.code or 0), said.getvalue(), told.getvalue())


@pytest.fixture(scope="module")
def work(mother: Mother, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the suite and a baseline whose canaries are those of the unchanged packages."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "tiny.toml").write_text(NIGHTLY)
    (folder / "results").mkdir()
    done = nightly_here(mother, folder, "refresh-canary", "tiny.toml", "--reason", "the first")
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture
def changed(tmp_path: Path, work: Path) -> Check:
    """Checks the canaries with a changed copy of the packages."""

    def call(change: str, **environment: str) -> subprocess.CompletedProcess[str]:
        packages = tree(tmp_path / "tree")
        sabotage(packages, change)
        return nightly(packages, work, "tiny.toml", "--canary-only", **environment)

    return call


def versions(folder: Path, **packages: str) -> str:
    """A folder that, ahead on the path, makes packages seem to have other versions."""
    for name, version in packages.items():
        info = folder / "versions" / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return str(folder / "versions")


def test_nothing_changed(mother: Mother, work: Path) -> None:
    done = nightly_here(mother, work, "tiny.toml", "--canary-only", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert "nothing broke\n4 canaries: 4 repeat to the last bit." in done.stdout
    told = re.findall(r"^canary (\d) of 4, \d+\.\d s: tiny: ", done.stderr, re.MULTILINE)
    assert told == ["1", "2", "3", "4"]
    (canaries,) = ElementTree.parse(work / "out" / "junit.xml").getroot()
    times = [float(case.get("time", 0)) for case in canaries]
    assert len(times) == 4
    assert min(times) > 0
    assert float(canaries.get("time", 0)) == pytest.approx(sum(times), abs=0.01)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_has_its_place(change: str, tmp_path: Path) -> None:
    """Also those that only tests/slow tries, so moving the code fails here."""
    file, _, new, _ = CHANGES[change]
    (tmp_path / file).parent.mkdir(parents=True)
    shutil.copy(ROOT / file, tmp_path / file)
    sabotage(tmp_path, change)
    assert new in (tmp_path / file).read_text()


@pytest.mark.parametrize("change", TRIED)
def test_a_change_of_code_is_caught_and_named(change: str, changed: Check) -> None:
    caught_and_named(change, changed)


def caught_and_named(change: str, changed: Check) -> None:
    done = changed(change)
    assert done.returncode == 1, done.stdout + done.stderr
    named = [line for line in done.stdout.splitlines() if line.startswith("code changed: no package changed;")]
    assert len(named) == 1
    expected = CHANGES[change][3]
    assert f"{len(expected)} of 4 canaries differ: " in named[0]
    for canary in expected:
        assert f"tiny: {canary} (" in named[0]


def changed_package_is_named(work: Path, tmp_path: Path) -> None:
    """In tests/slow: here another torch is such a package, too."""
    done = nightly(ROOT, work, "tiny.toml", "--canary-only", AHEAD=versions(tmp_path, numpy="99.0"))
    assert done.returncode == 0, done.stdout
    assert "\ndependency changed (no failure): numpy " in done.stdout
    assert " -> 99.0; every canary with a stored one still agrees" in done.stdout


def test_canaries_that_differ_under_another_package_are_the_packages(changed: Check, tmp_path: Path) -> None:
    done = changed("TD error, sign", AHEAD=versions(tmp_path, numpy="99.0"))
    assert done.returncode == 1
    assert "\ndependency changed: numpy " in done.stdout
    assert "code changed:" not in done.stdout


def test_another_torch_is_an_unknown_platform_class_with_a_tolerance(work: Path, tmp_path: Path) -> None:
    done = nightly(ROOT, work, "tiny.toml", "--canary-only", AHEAD=versions(tmp_path, torch="99.0"))
    assert done.returncode == 0, done.stdout
    assert "is unknown, but every canary repeats the stored numbers of `" in done.stdout
    assert "within a tolerance" not in done.stdout
    assert "\ndependency changed (no failure): torch " in done.stdout
    assert " -> 99.0; every canary with a stored one still agrees" in done.stdout
    assert "4 agree" not in done.stdout  # the same machine still gives the same bits
    assert "4 repeat to the last bit" in done.stdout


@pytest.mark.parametrize("change", TRIED_UNKNOWN)
def test_an_unknown_class_still_sees_large_changes(change: str, changed: Check) -> None:
    seen_by_an_unknown_class(change, changed)


def seen_by_an_unknown_class(change: str, changed: Check) -> None:
    """torch's plainest kernels give other bits, which the tolerance allows; it does not allow the sabotage."""
    done = changed(change, ATEN_CPU_CAPABILITY="default")
    assert done.returncode == 1, done.stdout
    assert "by more than the tolerance for unknown platform classes" in done.stdout


def test_an_unknown_class_forgives_other_bits(work: Path) -> None:
    done = nightly(ROOT, work, "tiny.toml", "--canary-only", ATEN_CPU_CAPABILITY="default")
    assert done.returncode == 0, done.stdout
    assert "agree within the tolerance" in done.stdout


def test_a_learner_that_breaks_is_a_failed_run(work: Path, tmp_path: Path) -> None:
    packages = tree(tmp_path / "tree")
    file = packages / "baselines/qmix.py"
    text, line = file.read_text(), "    return reduced((targets"
    assert text.count(line) == 1
    file.write_text(text.replace(line, f"    raise RuntimeError('broken')\n{line}"))
    done = nightly(packages, work, "tiny.toml", "--canary-only")
    assert done.returncode == 3, done.stdout
    assert "a run failed: canary tiny: team on two (teams): seed 0: RuntimeError: broken" in done.stdout
    assert "3 repeat to the last bit, 1 failed" in done.stdout


def bisect_names(bad: int, commits: int, work: Path, tmp_path: Path) -> None:
    """docs/nightly.md, literally, in tests/slow: one of this many commits changes a loss."""
    repository = tree(tmp_path / "repository")
    shutil.copy(work / "tiny.toml", repository)
    shutil.copytree(work / "results", repository / "results")

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        environment = os.environ | {"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    git("init", "-q")
    (repository / ".gitignore").write_text("__pycache__/\n")
    for i in range(1, commits + 1):
        if i == bad:
            sabotage(repository, "TD error, sign")
        (repository / "README").write_text(f"{i}\n")
        git("add", "-A")
        git("commit", "-qm", f"commit {i}")
    first = git("rev-list", "--max-parents=0", "HEAD").strip()
    git("bisect", "start", "HEAD", first)
    said = git("bisect", "run", sys.executable, "-m", "bench", "nightly", "tiny.toml", "--canary-only")
    assert "is the first bad commit" in said
    assert git("log", "-1", "--format=%s", "refs/bisect/bad").strip() == f"commit {bad}"
