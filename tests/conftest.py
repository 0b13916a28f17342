"""What every test folder shares: the asyncio backend, hypothesis profiles, a real Chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, Error, Page, sync_playwright

# No deadline: a two-core machine under load is not a defect. The blob lets anyone replay what a run found.
_PATIENT = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("default", _PATIENT, max_examples=60, stateful_step_count=30)
settings.register_profile("faults", _PATIENT, max_examples=2_000, stateful_step_count=60)

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGS = [
    "--no-sandbox",  # CI runs as root, where the sandbox cannot start; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-domain-reliability",
    "--metrics-recording-only",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


def pytest_configure(config: pytest.Config) -> None:
    """`make faults` selects its marker; the same choice selects the long hypothesis profile."""
    chosen = str(config.getoption("-m") or "")
    settings.load_profile("faults" if chosen == "faults" else "default")


@pytest.fixture
def anyio_backend() -> str:
    """The one event loop this program runs on."""
    return "asyncio"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, headless, that reaches 127.0.0.1 only. One process for a test file.

    Not for a whole run: Playwright's sync API keeps an event loop running on this thread until it is stopped, and no
    async test can run meanwhile. A file that uses `browser` has no async tests; its server runs in a thread or process.
    """
    executable = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if executable is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=executable, headless=True, args=CHROMIUM_ARGS)
        except Error as error:
            # Ubuntu's chromium-browser is a stub that asks for a snap: there, that is the same as having none.
            pytest.skip(f"{executable} does not start: {error.message.splitlines()[0]}")
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page of 1280x800 in a context of its own (no cookies of other tests)."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN", timezone_id="Asia/Shanghai")
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parents[1]
