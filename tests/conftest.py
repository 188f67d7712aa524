import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = [
    "tests.contracts.judging",
    "tests.databases",
    "tests.simulation",
    "tests.simulation_inbox",
    "tests.simulation_librisoft",
]

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Schedule(LoadScopeScheduling):  # type: ignore[misc]
    """Each test alone to whichever process is free, but for those of the fleet, which share one: it is heavy."""

    def _split_scope(self, nodeid: str) -> str:
        return "fleet" if nodeid.startswith("tests/deployment/") else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Schedule:
    return Schedule(config, log)


class Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def no_error_logged(request: pytest.FixtureRequest) -> Iterator[Errors]:
    """An ERROR in the log fails the test, unless it is marked `logs_errors` because that is what it is about."""
    errors = Errors()
    logging.getLogger().addHandler(errors)
    yield errors
    logging.getLogger().removeHandler(errors)
    if request.node.get_closest_marker("logs_errors") is None:
        assert errors.lines == []


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A real browser, headless. Skipped, and said so, where there is none: `make test` installs it as root."""
    if not CHROMIUM.exists():
        pytest.skip("no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh browser session, French, as wide as a desk."""
    context = chromium.new_context(locale="fr-BE", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()
