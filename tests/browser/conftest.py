"""The synthetic site in headless Chromium. Without a browser the tests are skipped, and say so by name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from baselines.specs import ALGORITHMS
from tests.made_site import made_site

REQUIRED = "BENCH_BROWSER_REQUIRED"  # set by tox: a gate that skips everything must not pass
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)


def tool(*names: str) -> str:
    """The path of the first that is installed. Without any, the test is skipped; where one is required, it fails."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        reason = f"{' or '.join(names)} is not installed (Debian: chromium, chromium-driver)"
        if os.environ.get(REQUIRED):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("maddpg", "knowru"):
            patch.setitem(ALGORITHMS, name, ALGORITHMS[name].model_copy(update={"several_tasks": True}))
        return made_site(folder / "results", folder / "site")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """One browser for all tests, with a profile of its own."""
    browser, driver = tool("chromium", "chromium-browser", "google-chrome"), tool("chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    running.set_script_timeout(120)  # s; axe looks at every element, on a slow machine too
    yield running
    running.quit()


class Reader:
    """A reader of the site: opens pages by their address, and fails on an error in the console."""

    def __init__(self, driver, site: Path):
        self.driver, self.site = driver, site

    def open(self, address: str, width: int = 1280, theme: str = "light") -> Reader:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.get((self.site / address).as_uri())
        return self

    def script(self, text: str, *arguments):
        return self.driver.execute_script(text, *arguments)

    def one(self, selector: str):
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list:
        return self.driver.find_elements("css selector", selector)

    def column(self, table: str, index: int) -> list[str]:
        """The shown rows' first line in a column."""
        rows = self.all(f"{table} tbody tr:not([hidden])")
        return [row.find_elements("css selector", "th, td")[index].text.split("\n")[0] for row in rows]

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture
def reader(chromium, site: Path) -> Iterator[Reader]:
    own = Reader(chromium, site).open("index.html")
    own.script("window.localStorage.clear()")
    yield own
    assert own.errors() == []
