"""Reports of runs that were really made: everything on them is drawn, and can be used.

All runs are in virtual time, where a minute of load takes less than a second.
"""

import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import (
    colours,
    csv_rows,
    drawn,
    every_view,
    go,
    is_reset,
    is_zoomed,
    overflow,
    plots,
    saved,
    seen_rows,
    shapes,
    tabs,
    values,
)
from playwright.sync_api import Page, expect

PERF = """perf --url sim:a100-qwen2.5-0.5b --model m --tokenizer-path builtin --dataset random --max-tokens 64
    --min-prompt-length 100 --max-prompt-length 200 --outputs-dir out"""
SERVE = "bench serve --model m --tokenizer builtin --random-input-len 64 --random-output-len 32"
KINDS = ["perf", "serve", "search", "sweep"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def several_loads() -> list[str]:
    return f"{PERF} --parallel 1 8 32 --number 20 160 400".split()


def one_result() -> list[str]:
    return f"{SERVE} --base-url sim:demo --num-prompts 200 --request-rate 20 --save-result --result-dir out".split()


def search() -> list[str]:
    wanted = json.dumps([{"p99_ttft": "<=0.2"}])
    return [*f"{PERF} --parallel 1 --number 60 --sla-auto-tune --sla-variable parallel --sla-params".split(), wanted]


def sweep() -> list[str]:
    serve = f"crestline sim --profile demo --port {free_port()}"
    bench = f"crestline {SERVE} --base-url sim:demo --num-prompts 60"
    rest = "-o out --experiment-name w --workload-iters 2 --num-runs 2"
    return ["bench", "sweep", "serve_workload", "--serve-cmd", serve, "--bench-cmd", bench, *rest.split()]


@pytest.fixture(scope="session")
def report(crestline: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The report of a kind of run, which is made where it is asked for first."""
    commands = dict(zip(KINDS, [several_loads, one_result, search, sweep], strict=True))
    made: dict[str, Path] = {}
    environment = {**os.environ, "PATH": f"{crestline.parent}:{os.environ['PATH']}"}

    def run(folder: Path, arguments: list[str]) -> None:
        done = subprocess.run(
            [crestline, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"

    def report(kind: str) -> Path:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            run(folder, commands[kind]())
            run(folder, ["report", "out", "-o", "report.html"])
            made[kind] = folder / "report.html"
        return made[kind]

    return report


def visible(page: Page, query: str) -> list:
    return [it for it in page.locator(f"main {query}").all() if it.is_visible()]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_drawn_at_any_width(opened, report, kind):
    for width, scheme in [(1400, "light"), (420, "dark")]:
        page = opened(report(kind), width, scheme)
        figures = 0
        for view in every_view(page):
            assert overflow(page) <= 0, f"{view} is too wide for {width}"
            for it in visible(page, ".figure"):
                figures += 1
                # A part without values says so in words.
                assert shapes(it) > 0 and len(plots(it)) > 0, f"{view}, {it.get_attribute('data-name')}"
                assert it.locator(".drawn > svg").bounding_box()["height"] > 100
            for it in visible(page, ".waterfall canvas"):
                page.wait_for_function("canvas => canvas.width > 300", arg=it.element_handle())
                it.scroll_into_view_if_needed()
                page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
                assert colours(it) > 3, view
        assert figures > 3, kind


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_comes_first(opened, report, kind):
    page = opened(report(kind))
    first = page.locator("main > .view:visible, main:not(.views)").locator("> *").first
    expect(first).to_have_class("callout answer")
    assert len(first.inner_text()) > 20
    assert tabs(page)[0] == "Summary" and tabs(page)[-1] == "About"


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_can_be_sorted_and_taken_away(opened, report, kind):
    page = opened(report(kind))
    seen = set()
    for view in every_view(page):
        for table in visible(page, ".table"):
            if table.get_attribute("data-name") in seen:
                continue
            seen.add(table.get_attribute("data-name"))
            rows = seen_rows(table)
            name, text = saved(page, table.get_by_role("button", name="CSV"))
            head, *found = csv_rows(text)
            assert name.endswith(".csv") and len(head) == len(set(head)), f"{view}: {head}"
            assert len(found) >= len(rows) > 0, view
            if len(found) == len(rows):
                assert [[cell or "" for cell in row] for row in values(table)] == found, view
            _, text = saved(page, table.get_by_role("button", name="JSON"))
            assert [list(row) for row in json.loads(text)] == [head] * len(found), view
            button = table.locator("th button").last
            for order in ["ascending", "descending"]:
                button.click()
                expect(table.locator("th").last).to_have_attribute("aria-sort", order)
            button.click()
            assert seen_rows(table) == rows, view
    assert seen, kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_can_be_enlarged_and_taken_away(opened, report, kind):
    page = opened(report(kind))
    seen = set()
    for view in every_view(page):
        for it in visible(page, ".figure"):
            name = it.get_attribute("data-name")
            if name in seen:
                continue
            seen.add(name)
            before = drawn(it)
            it.get_by_role("button", name="enlarge").click()
            is_zoomed(it)
            assert drawn(it) != before, f"{view}, {name}"
            it.get_by_role("button", name="All", exact=True).click()
            is_reset(it)
            assert drawn(it) == before, f"{view}, {name}"
            _, text = saved(page, it.get_by_role("button", name="CSV"))
            count = sum(len(series["rows"]) for plot in plots(it) for series in plot["series"])
            assert len(csv_rows(text)) == 1 + count > 1, name
            it.locator(".drawn").focus()
            page.keyboard.press("n")
            expect(it.locator(".tip")).to_be_visible()
            page.keyboard.press("Escape")
            expect(it.locator(".tip")).to_be_hidden()
    assert len(seen) > 3, kind


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_is_there_to_be_copied(opened, report, kind):
    page = opened(report(kind))
    code = go(page, "About").locator(".code:visible").first
    assert "crestline" in code.locator("pre").inner_text()
    code.get_by_role("button", name="Copy").click()
    expect(code.get_by_role("button", name="Copied")).to_be_visible()


def test_a_load_in_the_table_leads_to_its_own_page(opened, report):
    page = opened(report("perf"))
    page.get_by_role("link", name="8 users").first.click()
    expect(page.get_by_role("tab", name="8 users")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tab", name="Runs")).to_have_attribute("aria-selected", "true")


def test_a_search_shows_how_it_came_to_its_answer(opened, report):
    page = opened(report("search"))
    view = go(page, "SLA search")
    expect(view.locator(".callout.answer").first).to_contain_text("p99_ttft <= 0.2")
    figures = view.locator(".figure")
    names = [it.get_attribute("data-name") for it in figures.all()]
    assert names == ["search-course", "violations", "against-limits"]
    course = figures.first
    # Times are seconds, loads are laid out by ratio; each step of the search can be read.
    [plot] = plots(course)
    assert (plot["x"]["kind"], plot["y"]["kind"]) == ("time", "log2")
    assert len(plot["series"][0]["rows"]) > 10
    assert len(seen_rows(view.locator(".table:visible").first)) > 3
