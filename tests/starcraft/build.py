"""Builds the Python environment of smac and smacv2: `build.py FOLDER`, from the checkouts that two variables name.

Without SMAC_SOURCE nothing is built, and the tests that need it are skipped by name.
"""

from __future__ import annotations

import os
import sys

from bench.envs.starcraft import install

CHECKOUTS = ("SMAC_SOURCE", "SMACV2_SOURCE")  # of oxwhirl/smac, which must be there, and of oxwhirl/smacv2


def main(folder: str) -> int:
    if not os.environ.get(CHECKOUTS[0]):
        print(f"{CHECKOUTS[0]} names no checkout of oxwhirl/smac: nothing is built, its tests are skipped")
        return 0
    return install.main([folder, *filter(None, map(os.environ.get, CHECKOUTS))])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
