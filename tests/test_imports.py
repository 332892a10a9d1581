"""The rules of imports. Data flows one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*(ROOT / "bench").rglob("*.py"), *(ROOT / "baselines").rglob("*.py")])

# Rooms of the house in the order in which data flows; a room may import itself, rooms before it, and baselines.specs.
# Rooms of one line do not import each other.
ROOMS = [
    ["bench.output", "bench.processes", "bench.stats"],
    ["bench.envs"],
    ["bench.suite"],
    ["bench.audit", "bench.plan"],
    ["bench.store"],
    ["bench.evidence", "bench.run"],
    ["bench.exchange", "bench.guests", "bench.verdict"],
    ["bench.executors"],
    ["bench.report"],
    ["bench.compare", "bench.starters"],
    ["bench.api", "bench.nightly", "bench.site"],
    ["bench.commands"],
    ["bench.cli"],
    ["bench.__main__"],
]
PARTS = [  # the same of what methods are put together from; every other file of baselines/ is a method
    ["baselines.specs", "baselines.learner", "baselines.streams", "baselines.losses"],
    ["baselines.kernels", "baselines.schedules", "baselines.replay"],
    ["baselines.networks", "baselines.training_state"],
    ["baselines.teachers"],
]
TORCH_ALLOWED = ("bench.run", "bench.guests", "bench.envs", "baselines")  # but not the specs
LEARNERS_ALLOWED = ("bench.run", "bench.guests", "baselines")  # of baselines more than its torch-free specs


@cache
def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def inside(module: str, rooms: tuple[str, ...] | list[str]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


KNOWN = frozenset(map(name_of, MODULES))


def modules_in(*rooms: str) -> list[Path]:
    found = [path for path in MODULES if inside(name_of(path), rooms)]
    assert found, f"no module is in {rooms}: what is required of them would hold of nothing"
    return found


@cache
def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports anywhere, as a dotted name. A file is parsed once."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return frozenset(found)


def level(module: str) -> int:
    levels = [i for i, rooms in enumerate(ROOMS) if inside(module, rooms)]
    assert levels, f"{module} is in no room: give it one in this test"
    return levels[0]


def rank(module: str) -> int:
    """The rank of a module of baselines/; methods come last."""
    return next((i for i, parts in enumerate(PARTS) if inside(module, parts)), len(PARTS))


def test_every_module_is_in_a_room() -> None:
    for module in KNOWN - {"bench"}:
        assert inside(module, ["baselines"]) or level(module) >= 0
    methods = {
        module for module in KNOWN - {"baselines"} if inside(module, ["baselines"]) and rank(module) == len(PARTS)
    }
    assert all(f"baselines.specs.{module.split('.')[1]}" in KNOWN for module in methods), methods


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_every_file_is_in_a_room() -> None:
    """Only the command line stands directly under bench/."""
    loose = {path.stem for path in (ROOT / "bench").glob("*.py")}
    assert loose == {"__init__", "__main__", "cli"}


def test_no_circle() -> None:
    """No module imports itself through others, not even within its own room."""
    graph = {name_of(path): {found for found in map(module_of, imports(path)) if found} for path in MODULES}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module not in done:
            for other in graph[module] - {module}:
                visit(other, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def module_of(name: str) -> str:
    """Our own module that an import names, or that has the imported name; nothing for others' modules."""
    holder = name.rpartition(".")[0]
    return name if name in KNOWN else holder if holder in KNOWN else ""


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_data_flows_one_way(path: Path) -> None:
    module = name_of(path)
    for other in imports(path):
        if inside(module, ["baselines"]):
            assert not inside(other, ["bench"]), f"{module} imports {other}: baselines never imports bench"
            if inside(other, ["baselines"]) and other != "baselines" and room(other) != room(module):
                before = rank(other) < rank(module) or rank(module) == len(PARTS)
                assert before, f"{module} imports {other}, which does not come before it"
        elif inside(other, ["baselines"]) and not inside(module, LEARNERS_ALLOWED):
            assert other == "baselines" or inside(other, ["baselines.specs"]), f"{module} imports {other}"
        elif inside(other, ["bench"]) and other != "bench" and other != "bench.__version__" and module != "bench":
            before = level(other) < level(module) or room(other) == room(module)
            assert before, f"{module} imports {other}, which does not come before it"


@pytest.mark.parametrize("path", modules_in("bench.stats"), ids=name_of)
def test_stats_imports_nothing_of_ours(path: Path) -> None:
    ours = {m for m in imports(path) if inside(m, ["bench", "baselines"]) and not inside(m, ["bench.stats"])}
    assert not ours - {"bench"}


@pytest.mark.parametrize("path", modules_in("bench.stats"), ids=name_of)
def test_stats_imports_numpy_and_scipy_only(path: Path) -> None:
    roots = {module.split(".")[0] for module in imports(path)} - set(sys.stdlib_module_names)
    assert roots <= {"bench", "numpy", "scipy"}


def test_rliable_imports() -> None:
    """With pandas 3 it does not, hence the constraint in pyproject.toml."""
    assert import_module("rliable.library")
    assert import_module("rliable.metrics")


@pytest.mark.parametrize("path", modules_in("bench.envs"), ids=name_of)
def test_environments_know_nothing_of_methods(path: Path) -> None:
    assert not {m for m in imports(path) if inside(m, ["baselines", "bench.suite", "bench.plan"])}


TORCH_FREE = sorted({*MODULES} - {*modules_in(*TORCH_ALLOWED)} | {*modules_in("baselines.specs")})


@pytest.mark.parametrize("path", TORCH_FREE, ids=name_of)
def test_only_runs_and_environments_import_torch(path: Path) -> None:
    assert not {m for m in imports(path) if inside(m, ["torch"])}


def test_checking_needs_no_torch_and_loads_no_more_than_it_uses() -> None:
    """Suites, plans, verdicts and reports rebuild without torch. A verb imports only what it needs.

    So does an environment's own process.
    """
    code = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'torch': raise ImportError('no torch here')\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "from bench.commands.verbs import VERBS, Loaded\n"
        "assert Loaded()['validate'] and 'bench.verdict' not in sys.modules\n"
        "assert all(Loaded()[name].name == name for name in VERBS)\n"
        "assert not {'scipy', 'pandas', 'matplotlib', 'pettingzoo'} & {*sys.modules}\n"
        "from bench.suite.loading import load; from bench.plan import make_plan, Selection\n"
        "assert make_plan(load('knowru'), Selection()).runs\n"
        "import bench.envs.apart_child"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_what_no_verb_is_needed_for_loads_few_modules(word: str) -> None:
    """Some 300. Loading what `bench check` needs takes three times as many, and seconds on a slow disk."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(len(sys.modules), file=sys.stderr))\n"
        f"sys.argv = ['bench', {word!r}]\n"
        "from bench.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "bench" in done.stdout
    assert int(done.stderr) < 400
