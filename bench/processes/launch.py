"""Runs one of our modules as a process: `python -P -S launch.py MODULE [ARGUMENT]...`.

With -P no folder comes first on the module search path, neither the current one nor this file's. With -S Python does
not add the installed packages; this file does, but without the checkout that an editable install would add. Our modules
are found where this file lies. Nothing else is found there or in the current folder, so a file `random.py`, `torch.py`
or `sitecustomize.py` in either is never executed.
"""

import os
import runpy
import site
import sys
from collections.abc import Collection, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

OURS = ("bench", "baselines")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Only:
    """A finder of some top-level modules in one folder. It comes before all others, and finds nothing else there."""

    def __init__(self, folder: str, names: Collection[str]):
        self.folder, self.names = folder, names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [self.folder]) if name in self.names else None


def find_ours() -> None:
    """Make our own modules come from `ROOT`, whatever the search path."""
    sys.meta_path.insert(0, Only(ROOT, OURS))


def find_installed() -> None:
    """Add the installed packages to the search path of a process started with -S, as `site` would; see above."""
    named = {os.path.realpath(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder}
    known = site.venv(site.removeduppaths())
    site.ENABLE_USER_SITE = site.check_enableusersite()
    site.addsitepackages(site.addusersitepackages(known))
    installed = {os.path.realpath(folder) for folder in (*site.getsitepackages(), site.getusersitepackages())}
    shut = {os.path.realpath(ROOT), os.path.realpath(os.getcwd())} - named - installed
    sys.path[:] = [folder for folder in sys.path if os.path.realpath(folder) not in shut]


def forget_current_folder() -> None:
    """Remove the folder that `python -m` put first on the search path."""
    if not sys.flags.safe_path:
        del sys.path[0]


def see_folder(here: str, target: str) -> None:
    """Look for a guest's `module:attribute` in the folder that bench was called from, before all other folders.

    Other modules are looked for there last, so a file that is named like a module of Python or a package does not
    replace it.
    """
    module = target.partition(":")[0].partition(".")[0]
    sys.path.append(here)
    if module not in sys.stdlib_module_names:
        sys.meta_path.insert(1, Only(here, [module]))  # after our own


if __name__ == "__main__":
    del sys.argv[0]
    find_installed()
    find_ours()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
