"""The installed parts of StarCraft II: the game, its build, maps, the packages. Imports neither torch nor pysc2."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from bench.envs.starcraft.params import MAPS

GAME = "SC2PATH"  # pysc2's variable: the folder with Versions/ and Maps/
USUAL_HOME = Path.home() / "StarCraftII"  # where pysc2 looks without the variable, on Linux
# Builds behind papers' win rates: SMAC's own, and PyMARL2's. They give different rates.
BUILDS = {69232: "4.6.2", 75689: "4.10"}
FOLDER = "SMAC_Maps"
GAME_NAME = "StarCraft II"  # its name in a record
GET_GAME = (
    "get it from https://github.com/Blizzard/s2client-proto#downloads (Linux packages, 4.10; its licence is yours to "
    f"accept) and: export {GAME}=/path/to/StarCraftII"
)
GET_MAPS = "unpack SMAC_Maps.zip of https://github.com/oxwhirl/smac/releases"


def game() -> Path:
    """The game's folder, whether it exists or not."""
    return Path(os.environ.get(GAME) or USUAL_HOME)


def build() -> int | None:
    """The build of the game that pysc2 would start: the newest in Versions/. None: there is no game."""
    names = (path.name for path in (game() / "Versions").glob("Base*"))
    found = [int(match[1]) for name in names if (match := re.fullmatch(r"Base(\d+)", name))]
    return max(found, default=None)


def map_file(name: str) -> Path | None:
    """A map's file, in SMAC_Maps or a folder in it, where smac's and smacv2's packs unpack; None if it is missing."""
    return next(iter(sorted((game() / "Maps").glob(f"**/{name}.SC2Map"))), None)


def missing_map(name: str) -> str:
    """Why a map cannot be played, in one line; "" if game and map are there."""
    if build() is None:
        return f"StarCraft II is not in {game()}: {GET_GAME}; then: bench doctor starcraft"
    if map_file(name) is not None:
        return ""
    where = game() / "Maps" / FOLDER
    if MAPS[name].registered:
        return f"{where}/{name}.SC2Map: No such file; {GET_MAPS} into {game()}/Maps; then: bench doctor starcraft"
    return f"{where}/{name}.SC2Map: No such file, and no public pack has it: put your own map of these units there"


def missing() -> tuple[str, ...]:
    """Missing parts of the game, for `bench doctor`."""
    if build() is None:
        return (f"StarCraft II (not in {game()})",)
    lost = [name for name, own in MAPS.items() if own.registered and map_file(name) is None]
    return (f"{len(lost)} of SMAC's maps ({', '.join(lost)})",) if lost else ()


def remarks() -> tuple[str, ...]:
    """Notes on the installed game."""
    if (own := build()) is None:
        return (GET_GAME, GET_MAPS)
    known = f"build {own}, {BUILDS[own]}" if own in BUILDS else f"build {own}: not one that papers used ({_known()})"
    lost = [name for name, entry in MAPS.items() if not entry.registered and map_file(name) is None]
    return (known, *([f"missing maps that no public pack has: {', '.join(lost)}"] if lost else ()))


def described(name: str) -> Mapping[str, str]:
    """The parts of the game that decide a record's numbers: its build, and the hash of the map's file."""
    found = {GAME_NAME: str(build())}
    if (path := map_file(name)) is not None:
        found[f"map {name}"] = f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return found


def deviates(told: Mapping[str, str]) -> str:
    """How a record's game differs from those that papers used, by its build; "" if it does not."""
    if (own := told.get(GAME_NAME, "none")) in map(str, BUILDS):
        return ""
    return f"StarCraft II's build is {own}, not one that papers used ({_known()}); win rates depend on it"


def _known() -> str:
    return ", ".join(f"{number}, {version}" for number, version in BUILDS.items())
