"""The harness: suite -> plan -> run -> store -> statistics -> verdict -> report, data flowing one way.

    import bench

    study = bench.read("knowru", "results", only=["spread/II"])
    study.scores(), study.curves(), study.verdicts(), study.figures()

Nothing is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import Study, read, suites

__version__ = "0.2.0"
__all__ = ["Study", "__version__", "read", "suites"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from bench import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
