"""Makes a Python environment of smac: `python -m bench.envs.starcraft.install FOLDER CHECKOUT...`.

CHECKOUT: a folder of oxwhirl/smac; after it, if wanted, one of oxwhirl/smacv2. Neither is on a package index. They want
protobuf 3.20 and numpy below 2, so FOLDER is an environment of their own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from bench.output.terminal import say, warn

NEEDED = ("protobuf==3.20.3", "numpy<2", "pysc2==4.0.0", "s2clientprotocol", "pygame", "absl-py", "setuptools<70")
USAGE = "usage: python -m bench.envs.starcraft.install FOLDER CHECKOUT [CHECKOUT]"


def main(arguments: Sequence[str]) -> int:
    """2: the arguments are wrong, and nothing was made. 1: pip failed, and said why."""
    if len(arguments) < 2:
        return _refused(USAGE)
    folder, *checkouts = map(Path, arguments)
    for checkout in checkouts:
        if not (checkout / "setup.py").is_file():
            return _refused(f"CHECKOUT {checkout}: it has no setup.py; name a folder of oxwhirl/smac or oxwhirl/smacv2")
    if folder.exists() and not (folder / "pyvenv.cfg").is_file() and any(folder.iterdir()):
        return _refused(f"FOLDER {folder}: it is there, and no Python environment; name a new one")
    venv.create(folder, with_pip=True)
    python = folder.absolute() / "bin" / "python"
    if not _pip(python, *NEEDED, "wheel", "pydantic>=2.12"):
        return 1
    for checkout in checkouts:
        with tempfile.TemporaryDirectory() as copied:
            if not _pip(python, "--no-deps", "--no-build-isolation", _source(checkout, Path(copied))):
                return 1
    say(f"done; now: export BENCH_STARCRAFT_PYTHON={python}")
    return 0


def _source(checkout: Path, copied: Path) -> str:
    """What pip installs: git's last commit, which records then name; without git a copy, as setuptools builds in it."""
    if (checkout / ".git").exists():
        return f"git+{checkout.absolute().as_uri()}"
    return str(shutil.copytree(checkout, copied / "source", ignore=shutil.ignore_patterns("build")))


def _pip(python: Path, *asked: str) -> bool:
    return not subprocess.run([str(python), "-I", "-m", "pip", "install", *asked], check=False).returncode


def _refused(why: str) -> int:
    warn(why)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
