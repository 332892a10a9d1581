"""Files and packages that a plan's scenarios need but that are missing. Checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from bench.envs import FAMILIES, AssetMissing, Assets, checked, installation, lacking, unfit, versions
from bench.plan.cells import Cell
from bench.suite.assets import to_get
from bench.suite.explain import Problem


def missing_assets(cells: Iterable[Cell], assets: Assets) -> list[Problem]:
    """A problem for each file that is missing or has another content than its hash says; each file once."""
    found: dict[str, Problem] = {}
    for cell in cells:
        for scenario, own in zip(cell.scenarios, cell.scored, strict=True):
            for key, name in checked(own.family, own.params).assets.items():
                try:
                    assets.read(name)
                except AssetMissing as error:
                    place, wanted = f"scenario[{scenario}].params.{key}", f"the file {name}, named by its SHA-256"
                    found.setdefault(name, Problem(place, str(error).partition(";")[0], wanted, to_get(name)))
    return list(found.values())


def missing_backends(cells: Iterable[Cell]) -> list[Problem]:
    """A problem for each family of environments without its packages, with the scenario that needs it."""
    found: dict[str, Problem] = {}
    for cell in cells:
        for scenario, own in zip(cell.scenarios, cell.scored, strict=True):
            if own.family in found or not (mend := lacking(own.family)):
                continue
            wanted = FAMILIES[own.family].packages
            game = installation(own.family)
            absent = [name for name in wanted if name not in versions(own.family)] + [*(game.missing() if game else ())]
            troubles = ([f"without {', '.join(absent)}"] if absent else []) + [
                f"with {one}" for one in unfit(own.family)
            ]
            got = f"family {own.family} {'; '.join(troubles)}"
            mend = f"{mend}; then: bench doctor {own.family}"
            found[own.family] = Problem(f"scenario[{scenario}]", got, f"{', '.join(wanted)} installed", mend)
    return list(found.values())
