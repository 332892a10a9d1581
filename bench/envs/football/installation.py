"""How to install gfootball, and which parts are installed. Imports neither torch nor gfootball."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = (HERE / "debian.txt").read_text().split()  # Debian's, from install.sh
APT = "apt-get install --no-install-recommends"
PIP = (
    "python3 -m venv FOOTBALL; export PATH=$PWD/FOOTBALL/bin:$PATH; pip install psutil 'setuptools<70' wheel; "
    "pip install --no-deps --no-build-isolation gfootball==2.10.2; "
    "pip install gymnasium absl-py six opencv-python-headless 'pydantic>=2.12'"
)
INSTALL = (
    f"{APT} {' '.join(PACKAGES)}; then, in a Python environment of its own, which BENCH_FOOTBALL_PYTHON names: {PIP}; "
    f"or, in place of these: sh {HERE / 'install.sh'} FOOTBALL; export BENCH_FOOTBALL_PYTHON=$PWD/FOOTBALL/bin/python"
)


def missing() -> tuple[str, ...]:
    """Nothing else: its package, which the registry checks, contains the engine."""
    return ()


def remarks() -> tuple[str, ...]:
    """A line on missing Debian packages, on a system that has Debian's packages."""
    lost = [name for name in PACKAGES if not _installed(name)] if shutil.which("dpkg-query") else []
    return (f"Debian's packages that building it needs and that are not here: {' '.join(lost)}",) if lost else ()


def described(name: str) -> Mapping[str, str]:
    """Nothing: the package's version is enough."""
    return {}


def deviates(told: Mapping[str, str]) -> str:
    """Nothing: the paper names no version of gfootball, and this one has the paper's scenarios."""
    return ""


def _installed(package: str) -> bool:
    asked = ["dpkg-query", "-W", "-f=${db:Status-Status}", package]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout == "installed"
