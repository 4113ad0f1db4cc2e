"""What a reader does on a page, and what he sees."""

import csv
import io
import json
import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

TABS = "main > .picker [role=tab]"


def tabs(page: Page) -> list[str]:
    """The names of the tabs, as long as there are several."""
    return page.locator(TABS).all_inner_texts()


def go(page: Page, tab: str) -> Locator:
    """Shows a tab; gives what is in it."""
    page.locator(TABS, has_text=re.compile(f"^{re.escape(tab)}$")).click()
    return page.locator("main > .view:not([hidden])")


def every_view(page: Page):
    """Shows each tab, and in it each page of each choice; gives their names."""
    names = tabs(page) or [""]
    for name in names:
        view = go(page, name) if name else page.locator("main")
        yield name
        for choice in view.locator(".choice").all():
            if not choice.is_visible():
                continue
            for tab in choice.locator("> .picker [role=tab]").all():
                tab.click()
                yield f"{name}: {tab.inner_text()}"
            for options in choice.locator("> .picker select").all():
                for place, words in enumerate(options.locator("option").all_inner_texts()):
                    options.select_option(index=place)
                    yield f"{name}: {words}"


def saved(page: Page, button: Locator) -> tuple[str, str]:
    """What a button hands out: the file's name, and the text in it."""
    with page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes().decode()


def csv_rows(text: str) -> list[list[str]]:
    """The rows of a CSV file, which end as the format says."""
    assert text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text, newline="")))


def seen_rows(table: Locator) -> list[list[str]]:
    """The cells of a table as they are read, row by row."""
    script = "rows => rows.filter(row => row.checkVisibility()).map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    return table.locator("tbody tr").evaluate_all(script)


def values(table: Locator) -> list[list[str]]:
    """The cells of a table as files have them."""
    script = "rows => rows.filter(row => !row.hidden).map(row => [...row.cells].map(cell => cell.dataset.v ?? cell.textContent))"
    return table.locator("tbody tr").evaluate_all(script)


def overflow(page: Page) -> int:
    """By how many pixels a page is wider than its window."""
    return page.evaluate("document.scrollingElement.scrollWidth - innerWidth")


def shapes(figure: Locator) -> int:
    """How many shapes are drawn between the axes of a figure."""
    inside = figure.locator("[data-part=inside]")
    return inside.locator("polyline, polygon, circle, rect, path").count()


def drawn(figure: Locator) -> str:
    """All that is drawn of a figure, without what follows the pointer."""
    script = "svg => { const copy = svg.cloneNode(true); copy.querySelectorAll('[data-tip]').forEach(it => it.remove()); return copy.innerHTML; }"
    return figure.locator(".drawn > svg").evaluate(script)


def ticks(figure: Locator, axis: str) -> list[str]:
    """The marks of an axis, `x` or `y`."""
    return figure.locator(f"[data-part=ticks-{axis}] text").all_text_contents()


def is_reset(figure: Locator) -> None:
    """Waits until all of a figure is seen again."""
    expect(figure.locator("[data-key='0']")).to_be_disabled()


def is_zoomed(figure: Locator) -> None:
    """Waits until a part of a figure is seen."""
    expect(figure.locator("[data-key='0']")).to_be_enabled()


def colours(canvas: Locator) -> int:
    """How many colours the pixels of a canvas have."""
    script = """canvas => {
        const copy = document.createElement("canvas");
        Object.assign(copy, { width: canvas.width, height: canvas.height });
        const pen = copy.getContext("2d", { willReadFrequently: true });
        pen.drawImage(canvas, 0, 0);
        const { data } = pen.getImageData(0, 0, copy.width, copy.height);
        return new Set(new Uint32Array(data.buffer)).size;
    }"""
    return canvas.evaluate(script)


def plots(figure: Locator) -> list[dict]:
    """The axes and values of a figure, as its script reads them."""
    return json.loads(figure.locator("> script").text_content())
