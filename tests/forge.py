"""Records as a forger writes them: every hash fits what the file says."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.plan import digest, run_id
from bench.store import canonical, readable, sha256

Body = dict[str, Any]


def hashed(body: Body) -> Body:
    """With the hashes of its content."""
    body = {key: value for key, value in body.items() if key not in ("numbers_hash", "content_hash")}
    body |= {"numbers_hash": sha256(canonical(body.get("numbers")))}
    return body | {"content_hash": sha256(canonical(body))}


def forged(path: Path, change: Callable[[Body], object]) -> Path:
    """Change a record's file, mend hashes and ids, and put it under its run's name, as `readable` writes it."""
    body = json.loads(path.read_bytes())
    before = copy.deepcopy(body["settings"])
    change(body)
    if body.get("settings") != before:
        body["cell"] = digest(body["settings"])
        body["run"] = run_id(body["cell"], body["seed"], tuple(teacher["run"] for teacher in body["teachers"]))
    path.unlink()
    new = path.with_name(f"{body['run']}.json")
    new.write_bytes(readable(hashed(body)))
    return new


def doubled(path: Path, line: str, before: str) -> None:
    """Put a line before another in a record's file as it was written, and mend the hashes over the text."""
    text = path.read_text().replace(before, line + before, 1)
    head, _, rest = text.partition('\n "numbers": ')
    numbers, _, rest = rest.partition(',\n "numbers_hash": ')
    compact = _compact(numbers)
    tail = rest.partition(",")[2]
    opening, _, after = head.partition('"content_hash": ')
    after = after.partition(",")[2]
    body = f'{_compact(opening)}{_compact(after)}"numbers":{compact},"numbers_hash":"{sha256(compact.encode())}",'
    whole = sha256((body + _compact(tail)).encode())
    path.write_text(
        f'{opening}"content_hash": "{whole}",{after}\n "numbers": {numbers},\n "numbers_hash": '
        f'"{sha256(compact.encode())}",{tail}'
    )


def _compact(text: str) -> str:
    """Without blanks outside strings; the records of tests have none in strings that matter here."""
    parts = text.split('"')
    return '"'.join("".join(part.split()) if i % 2 == 0 else part for i, part in enumerate(parts))
