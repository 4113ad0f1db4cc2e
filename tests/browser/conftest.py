"""What the browser's tests share: the program that is tested, a headless Chromium, and pages in it.

Every page is opened as a file. A page that writes to the console, throws, or asks for anything but itself fails its test.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def built(*what: str) -> Path:
    """Builds one thing of the workspace; gives the folder of what is built."""
    subprocess.run(["cargo", "build", "--quiet", "--workspace", *what], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"


@pytest.fixture(scope="session")
def crestline() -> Path:
    """The program."""
    return built("--bin", "crestline") / "crestline"


@pytest.fixture(scope="session")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every kind of block."""
    example = built("--example", "page") / "examples" / "page"
    path = tmp_path_factory.mktemp("blocks") / "page.html"
    subprocess.run([example, path], check=True)
    return path


@pytest.fixture(scope="session")
def chromium():
    """A browser of its own, with nothing of the user's."""
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    path = next(filter(None, found), None)
    if path is None:
        pytest.fail("no Chromium is installed: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Opened:
    """Opens pages, and remembers what they did that they must not do."""

    browser: object
    problems: list[str] = field(default_factory=list)
    contexts: list = field(default_factory=list)

    def __call__(self, path: Path, width: int = 1400, scheme: str = "light", **more) -> Page:
        context = self.browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            accept_downloads=True,
            **more,
        )
        context.set_default_timeout(10_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", lambda request: self.ask(request.url, path))
        page.goto(path.as_uri())
        return page

    def ask(self, url: str, path: Path) -> None:
        """A page may ask for itself, and for what it holds."""
        if url.split("#")[0] != path.as_uri() and not url.startswith(("data:", "blob:")):
            self.problems.append(f"request: {url}")


@pytest.fixture
def opened(chromium):
    """Opens a page: `opened(path, width, scheme)`."""
    opened = Opened(chromium)
    yield opened
    for context in opened.contexts:
        context.close()
    assert opened.problems == []
