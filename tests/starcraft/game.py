"""The game's part, for contract tests: a websocket server that speaks s2clientprotocol, started as SC2_x64 would be.

It runs in the Python environment of smac, and imports only s2clientprotocol from it. FAKE_GAME names a JSON file:
`size` of the map, `ours` and `theirs`, lists of units `[type, x, y, health, shield]`, and `script`: who loses how much
health at each observation after a step, `{"3": [[owner, number, damage], ...]}` by the episode's step; ["crash"] there
ends the process, ["hang"] lets it sleep. Units move as they are told, at once; nothing else happens by itself. When all
units are dead, as SMAC's maps do, another episode begins.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

from s2clientprotocol import raw_pb2, sc2api_pb2

MOVE = 16
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
Unit = dict[str, Any]  # what an observation tells of it, and x, y


class Game:
    def __init__(self, scene: dict[str, Any]):
        self.scene, self.loop, self.tags, self.steps = scene, 0, 100, 0
        self.units: dict[int, Unit] = {}
        self.names: dict[tuple[int, int], int] = {}  # owner, number -> tag
        self.status = sc2api_pb2.launched

    def begin(self) -> None:
        self.units, self.names, self.steps = {}, {}, 0
        for owner, side in ((1, self.scene["ours"]), (2, self.scene["theirs"])):
            for number, (kind, x, y, health, shield) in enumerate(side):
                self.tags += 1
                self.names[owner, number] = self.tags
                self.units[self.tags] = {
                    "owner": owner, "unit_type": kind, "x": x, "y": y,
                    "health": health, "health_max": health, "shield": shield, "shield_max": shield,
                }  # fmt: skip

    def step(self, count: int) -> None:
        self.loop += count
        if not self.units:
            self.begin()
            return
        self.steps += 1
        happens: list[Any] = self.scene["script"].get(str(self.steps), [])
        if happens == ["crash"]:
            os._exit(9)
        if happens == ["hang"]:
            time.sleep(3600)
        for owner, number, damage in happens:
            tag = self.names[owner, number]
            if tag not in self.units:
                continue
            unit = self.units[tag]
            absorbed = min(unit["shield"], damage)
            unit["shield"] -= absorbed
            unit["health"] -= damage - absorbed
            if unit["health"] <= 0:
                del self.units[tag]

    def answer(self, request):
        kind = request.WhichOneof("request")
        response, asked = sc2api_pb2.Response(id=request.id), getattr(request, kind)
        getattr(self, f"_{kind}")(asked, getattr(response, kind), response)
        getattr(response, kind).SetInParent()
        response.status = self.status
        return response, kind == "quit"

    def _ping(self, asked, own, response) -> None:
        own.game_version, own.data_version, own.data_build, own.base_build = "4.10", "none", 75689, 75689

    def _create_game(self, asked, own, response) -> None:
        if not asked.local_map.map_path or len(asked.player_setup) != 2:
            own.error = sc2api_pb2.ResponseCreateGame.InvalidMapPath
        self.status = sc2api_pb2.init_game

    def _join_game(self, asked, own, response) -> None:
        self.status, own.player_id = sc2api_pb2.in_game, 1
        self.begin()

    def _game_info(self, asked, own, response) -> None:
        width, height = self.scene["size"]
        raw = own.start_raw
        raw.map_size.x, raw.map_size.y = width, height
        raw.playable_area.p1.x, raw.playable_area.p1.y = width, height
        for grid, bits, content in ((raw.pathing_grid, 1, b"\xff"), (raw.terrain_height, 8, b"\x80")):
            grid.bits_per_pixel, grid.size.x, grid.size.y = bits, width, height
            grid.data = content * (width * height * bits // 8)

    def _observation(self, asked, own, response) -> None:
        own.observation.game_loop = self.loop
        for tag, unit in self.units.items():
            numbers = {name: value for name, value in unit.items() if name not in ("x", "y")}
            side = raw_pb2.Self if unit["owner"] == 1 else raw_pb2.Enemy
            told = own.observation.raw_data.units.add(tag=tag, alliance=side, display_type=raw_pb2.Visible, **numbers)
            told.pos.x, told.pos.y = unit["x"], unit["y"]

    def _action(self, asked, own, response) -> None:
        for action in asked.actions:
            command = action.action_raw.unit_command
            for tag in command.unit_tags:
                if command.ability_id == MOVE and tag in self.units:
                    point = command.target_world_space_pos
                    self.units[tag] |= {"x": point.x, "y": point.y}
            own.result.append(1)

    def _step(self, asked, own, response) -> None:
        self.step(asked.count or 1)
        own.simulation_loop = self.loop

    def _debug(self, asked, own, response) -> None:
        for command in asked.debug:
            for tag in command.kill_unit.tag:
                self.units.pop(tag, None)

    def _save_replay(self, asked, own, response) -> None:
        own.data = b"replay"

    def _quit(self, asked, own, response) -> None:
        self.status = sc2api_pb2.quit


class WebSocket:
    """A server's end of one connection, RFC 6455: binary messages, unfragmented out, masked in."""

    def __init__(self, connection: socket.socket):
        self._socket = connection
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._exactly(1)
        key = next(
            line.partition(b":")[2].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        connection.sendall(answer + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")

    def receive(self) -> bytes:
        """Raises EOFError if the other end is gone."""
        message = b""
        while True:
            first, second = self._exactly(2)
            size = second & 127
            if size > 125:
                size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
            mask = self._exactly(4)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(self._exactly(size)))
            match first & 15:
                case 8:
                    raise EOFError
                case 9:
                    self.send(data, 10)
                case 0 | 1 | 2:
                    message += data
                    if first & 128:
                        return message

    def send(self, data: bytes, code: int = 2) -> None:
        size = len(data)
        short = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 2**16 else b""
        self._socket.sendall(bytes([128 | code]) + (short or b"\x7f" + struct.pack(">Q", size)) + data)

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self._socket.recv(size - len(found))
            if not part:
                raise EOFError
            found += part
        return found


def main() -> None:
    given = dict(zip(sys.argv[1:], sys.argv[2:], strict=False))
    game = Game(json.loads(Path(os.environ["FAKE_GAME"]).read_text()))
    with socket.create_server((given["-listen"], int(given["-port"]))) as server:
        connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ends, over = WebSocket(connection), False
    try:
        while not over:
            response, over = game.answer(sc2api_pb2.Request.FromString(ends.receive()))
            ends.send(response.SerializeToString())
    except EOFError:
        pass


if __name__ == "__main__":
    main()
