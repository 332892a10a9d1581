"""The house's rules: who may import whom. Data flows one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*(ROOT / "bench").rglob("*.py"), *(ROOT / "baselines").rglob("*.py")])

# Rooms of the house in the order in which data flows; a room may import itself, rooms before it, and baselines.specs.
ROOMS = [
    ["bench.explain", "bench.stats", "bench.envs"],
    ["bench.outside"],
    ["bench.suite"],
    ["bench.audit", "bench.plan"],
    ["bench.schedule", "bench.sizes"],
    ["bench.store"],
    ["bench.curves", "bench.checkpoints", "bench.provenance", "bench.readings", "bench.measures"],
    ["bench.exchange"],
    ["bench.run", "bench.verdict", "bench.estimate", "bench.verify", "bench.diff", "bench.opponents"],
    ["bench.executors", "bench.compare"],
    ["bench.nightly"],
    ["bench.report"],
    ["bench.site"],
    ["bench.commands"],
    ["bench.cli"],
    ["bench.__main__"],
]
TORCH_ALLOWED = ("bench.run", "bench.envs", "bench.executors.worker", "baselines")
LEARNERS_ALLOWED = ("bench.run", "baselines")  # who may import more of baselines than its torch-free specs


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def inside(module: str, rooms: tuple[str, ...] | list[str]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere, as a dotted name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return found


def level(module: str) -> int:
    levels = [i for i, rooms in enumerate(ROOMS) if inside(module, rooms)]
    assert levels, f"{module} is in no room: give it one in this test"
    return levels[0]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_data_flows_one_way(path: Path) -> None:
    module = name_of(path)
    for other in imports(path):
        if inside(module, ["baselines"]):
            assert not inside(other, ["bench"]), f"{module} imports {other}: baselines never imports bench"
        elif inside(other, ["baselines"]) and not inside(module, LEARNERS_ALLOWED):
            assert other == "baselines" or inside(other, ["baselines.specs"]), f"{module} imports {other}"
        elif inside(other, ["bench"]) and other != "bench" and other != "bench.__version__" and module != "bench":
            assert level(other) <= level(module), f"{module} imports {other}, which comes later"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_stats_imports_nothing_of_ours(path: Path) -> None:
    if inside(name_of(path), ["bench.stats"]):
        ours = {m for m in imports(path) if inside(m, ["bench", "baselines"]) and not inside(m, ["bench.stats"])}
        assert not ours - {"bench"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_stats_imports_numpy_and_scipy_only(path: Path) -> None:
    if inside(name_of(path), ["bench.stats"]):
        roots = {module.split(".")[0] for module in imports(path)} - set(sys.stdlib_module_names)
        assert roots <= {"bench", "numpy", "scipy"}


def test_rliable_imports() -> None:
    """With pandas 3 it does not, hence the constraint in pyproject.toml."""
    done = subprocess.run([sys.executable, "-c", "from rliable import library, metrics"], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_environments_know_nothing_of_methods(path: Path) -> None:
    if inside(name_of(path), ["bench.envs"]):
        assert not {m for m in imports(path) if inside(m, ["baselines", "bench.suite", "bench.plan"])}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_runs_and_environments_import_torch(path: Path) -> None:
    if not inside(name_of(path), TORCH_ALLOWED):
        assert not {m for m in imports(path) if inside(m, ["torch"])}


def test_checking_needs_no_torch() -> None:
    """Suites, plans, verdicts and reports rebuild where torch cannot even be imported."""
    code = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'torch': raise ImportError('no torch here')\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "import bench.cli\n"
        "from bench.suite.loading import load; from bench.plan import make_plan, Selection\n"
        "assert make_plan(load('knowru'), Selection()).runs"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
