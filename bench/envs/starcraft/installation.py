"""What of StarCraft II is installed: the game, its build, maps, the packages. Torch-free, and free of pysc2."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from bench.envs.starcraft.params import MAPS

GAME = "SC2PATH"  # pysc2's variable: the folder that holds Versions/ and Maps/
USUAL_HOME = Path.home() / "StarCraftII"  # where pysc2 looks without it, on Linux
# Builds that papers' win rates were reached with: SMAC's own, and PyMARL2's. They give different rates.
BUILDS = {69232: "4.6.2", 75689: "4.10"}
FOLDER = "SMAC_Maps"
GAME_NAME = "StarCraft II"  # what a record calls it
GET_GAME = (
    "get it from https://github.com/Blizzard/s2client-proto#downloads (Linux packages, 4.10; its licence is yours to "
    f"accept) and: export {GAME}=/path/to/StarCraftII"
)
GET_MAPS = "unpack SMAC_Maps.zip of https://github.com/oxwhirl/smac/releases"


def game() -> Path:
    """The game's folder, whether it is there or not."""
    return Path(os.environ.get(GAME) or USUAL_HOME)


def build() -> int | None:
    """Of the game that pysc2 would start: the newest in Versions/. None: there is no game."""
    names = (path.name for path in (game() / "Versions").glob("Base*"))
    found = [int(match[1]) for name in names if (match := re.fullmatch(r"Base(\d+)", name))]
    return max(found, default=None)


def map_file(name: str) -> Path | None:
    """A map's file, in SMAC_Maps or a folder in it, as smac's and smacv2's packs unpack; None: it is not there."""
    return next(iter(sorted((game() / "Maps").glob(f"**/{name}.SC2Map"))), None)


def missing_map(name: str) -> str:
    """Why a map cannot be played, in a line; nothing where game and map are there."""
    if build() is None:
        return f"StarCraft II is not in {game()}: {GET_GAME}; then: bench doctor starcraft"
    if map_file(name) is not None:
        return ""
    where = game() / "Maps" / FOLDER
    if MAPS[name].registered:
        return f"{where}/{name}.SC2Map: No such file; {GET_MAPS} into {game()}/Maps; then: bench doctor starcraft"
    return f"{where}/{name}.SC2Map: No such file, and no public pack has it: put your own there, of these units"


def missing() -> tuple[str, ...]:
    """What of the game is not there, for `bench doctor`."""
    if build() is None:
        return (f"StarCraft II (not in {game()})",)
    lost = [name for name, own in MAPS.items() if own.registered and map_file(name) is None]
    return (f"{len(lost)} of SMAC's maps ({', '.join(lost)})",) if lost else ()


def remarks() -> tuple[str, ...]:
    """What is worth knowing of the game that is there."""
    if (own := build()) is None:
        return (GET_GAME, GET_MAPS)
    known = f"build {own}, {BUILDS[own]}" if own in BUILDS else f"build {own}: not one that papers used ({_known()})"
    lost = [name for name, entry in MAPS.items() if not entry.registered and map_file(name) is None]
    return (known, *([f"maps that no public pack has, and are not here: {', '.join(lost)}"] if lost else ()))


def described(name: str) -> Mapping[str, str]:
    """What of the game decides a record's numbers: its build, and the map's file by its hash."""
    found = {GAME_NAME: str(build())}
    if (path := map_file(name)) is not None:
        found[f"map {name}"] = f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return found


def deviates(told: Mapping[str, str]) -> str:
    """Why a record's game is another than papers used, by its build; nothing where it is one of them."""
    if (own := told.get(GAME_NAME, "none")) in map(str, BUILDS):
        return ""
    return f"StarCraft II's build is {own}, not one that papers used ({_known()}); win rates depend on it"


def _known() -> str:
    return ", ".join(f"{number}, {version}" for number, version in BUILDS.items())
