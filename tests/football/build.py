"""Builds the Python environment of gfootball: `build.py FOLDER`, where BENCH_FOOTBALL_PYTHON names none that is there.

If Debian's packages are missing nothing is built, and the tests that need it are skipped by name.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "bench" / "envs" / "football" / "install.sh"


def main(folder: Path) -> None:
    if Path(os.environ.get("BENCH_FOOTBALL_PYTHON", "")).is_file():
        return
    done = subprocess.run(["sh", str(SCRIPT), str(folder), sys._base_executable], check=False)  # type: ignore[attr-defined]
    if done.returncode:
        print("gfootball is not built: its tests are skipped")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
