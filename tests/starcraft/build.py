"""Builds the Python environment of smac and smacv2: `build.py FOLDER`, from the checkouts that two variables name.

Without SMAC_SOURCE nothing is built, and the tests that need it are skipped by name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

NEEDED = ("protobuf==3.20.3", "numpy<2", "pysc2==4.0.0", "s2clientprotocol", "pygame", "absl-py", "setuptools<70")
CHECKOUTS = ("SMAC_SOURCE", "SMACV2_SOURCE")  # of oxwhirl/smac, which must be there, and of oxwhirl/smacv2


def main(folder: Path) -> None:
    if not os.environ.get(CHECKOUTS[0]):
        print(f"{CHECKOUTS[0]} names no checkout of oxwhirl/smac: nothing is built, its tests are skipped")
        return
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-I", "-m", "pip", "install"]
    subprocess.run([*pip, *NEEDED, "wheel", "pydantic>=2.12"], check=True)
    for checkout in filter(None, map(os.environ.get, CHECKOUTS)):
        with tempfile.TemporaryDirectory() as copied:  # setuptools builds where the source stands
            source = shutil.copytree(checkout, Path(copied) / "source", ignore=shutil.ignore_patterns("build"))
            subprocess.run([*pip, "--no-deps", "--no-build-isolation", str(source)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
