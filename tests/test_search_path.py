"""The folder that bench is called from: only a guest's own code is found there."""

from __future__ import annotations

import json
import shutil
import subprocess
import venv
from pathlib import Path

from bench.processes import launch
from bench.processes.starting import command, elsewhere
from tests.conftest import Bench

STANDARD = ("random", "queue", "uuid", "torch", "numpy", "safetensors", "baselines")
METHOD = """
import random

DECLARATION = {
    "says": "stands still",
    "tuning": {"runs": 0, "steps": 0, "seeds": [], "says": "nothing"},
}


def train(task):
    assert random.Random(0).random() > 0
    task.report(0, lambda obs, t: {agent: [0] * len(own) for agent, own in obs.items()})
"""


def trap(folder: Path) -> Path:
    """Fills the folder with files named like modules that the harness imports; each leaves a mark when it is run."""
    marks = folder / "executed"
    for name in STANDARD:
        (folder / f"{name}.py").write_text(f"open({str(marks)!r}, 'a').write({name!r})\nraise SystemExit('a trap')\n")
    return marks


def scores(folder: Path) -> dict[str, str]:
    """The numbers' hash of each record, by method."""
    records = [json.loads(path.read_text()) for path in (folder / "runs" / "records").glob("*.json")]
    return {record["method"]: record["numbers_hash"] for record in records if record["status"] == "finished"}


def test_files_named_like_modules_change_nothing(bench: Bench, bench_here: Bench, tiny_file: Path) -> None:
    """In the honest run commands and workers never look into the folder; the other run starts them there."""
    folder = tiny_file.parent
    (folder / "standing.py").write_text(METHOD)
    arguments = ("compare", "standing:train", "--suite", tiny_file, "--only", "source", "--seeds", "1")
    arguments += ("--run-baselines", "--against", "base")
    done = bench_here(*arguments)
    assert done.returncode == 0, done.stderr
    honest = scores(folder)
    assert set(honest) == {"standing:train", "base"}
    marks = trap(folder)
    (folder / "runs").rename(folder / "before")
    done = bench(*arguments)
    assert done.returncode == 0, done.stderr
    assert not marks.exists()
    assert scores(folder) == honest


def test_only_absolute_folders_elsewhere_stay_on_a_search_path(tmp_path: Path) -> None:
    here = Path.cwd()
    assert elsewhere("") == ""
    assert elsewhere(f"{tmp_path}::.:{here}:{here}/:sub:{here}/sub") == f"{tmp_path}:{here}/sub"


def test_files_in_the_checkout_change_nothing_where_it_is_the_current_folder(tmp_path: Path) -> None:
    """An editable install puts the checkout on the search path; packages beside it are found, its loose files not."""
    environment, checkout = tmp_path / "environment", tmp_path / "checkout"
    venv.create(environment, with_pip=False, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "editable.pth").write_text(f"{checkout}\n")
    (packages / "installed.py").write_text("WHERE = 'among the packages'\n")
    processes = checkout / "bench" / "processes"
    processes.mkdir(parents=True)
    shutil.copy(launch.__file__, processes / "launch.py")
    (checkout / "bench" / "look.py").write_text("import installed\nprint(installed.WHERE)\n")
    for name in ("installed", "random", "runpy", "sitecustomize", "usercustomize"):
        (checkout / f"{name}.py").write_text(f"raise SystemExit('a trap: {name}')\n")
    _, *flags, _, module = command("bench.look")
    start = [environment / "bin" / "python", *flags, processes / "launch.py", module]
    done = subprocess.run(start, cwd=checkout, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "among the packages\n"), done.stderr
