"""The synthetic site, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from baselines.specs import ALGORITHMS
from tests.made_site import made_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("maddpg", "knowru"):
            patch.setitem(ALGORITHMS, name, ALGORITHMS[name].model_copy(update={"several_tasks": True}))
        return made_site(folder / "results", folder / "site")
