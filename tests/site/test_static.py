"""Third-party files are the released ones, byte for byte, and a site includes them with their licence."""

import hashlib
from pathlib import Path

from bench.site.render import STATIC

UPLOT = {  # of uPlot 1.6.32's package on the npm registry
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uPlot.LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}


def test_vendored_files_are_unchanged() -> None:
    held = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (STATIC / "vendor").iterdir()}
    held.pop("README.md")
    assert held == UPLOT


def test_a_site_brings_them_along(site: Path) -> None:
    for name in UPLOT:
        assert (site / "static/vendor" / name).read_bytes() == (STATIC / "vendor" / name).read_bytes()
