"""Every kind of block of a page: how it looks and what it does."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

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
    ticks,
    values,
)
from playwright.sync_api import expect

SORTED = {"ascending": 1, "descending": -1}


def figure(view, name):
    return view.locator(f".figure[data-name='{name}']")


@pytest.mark.parametrize("width", [1400, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_is_wider_than_the_window(opened, blocks, width, scheme):
    page = opened(blocks, width, scheme)
    views = [(name, overflow(page)) for name in every_view(page)]
    assert len(views) > 8
    assert [name for name, wider in views if wider > 0] == []


def test_tabs_switch_by_click_and_by_keys(opened, blocks):
    page = opened(blocks)
    names = tabs(page)
    assert names == ["Summary", "Loads", "Figures", "Requests", "About"]
    shown = page.locator("main > .view:visible")
    for name in names:
        go(page, name)
        expect(shown).to_have_count(1)
        expect(shown).to_have_attribute("data-title", name)
    steps = [("ArrowRight", 0), ("ArrowRight", 1), ("ArrowLeft", 0), ("ArrowLeft", 4), ("Home", 0), ("End", 4)]
    for key, place in steps:
        page.keyboard.press(key)
        expect(shown).to_have_attribute("data-title", names[place])
        focused = page.locator(":focus")
        expect(focused).to_have_text(names[place])
        expect(focused).to_have_attribute("aria-selected", "true")
    # The others are not in the way of the tab key.
    assert page.locator("main > .picker [role=tab][tabindex='0']").count() == 1


def test_an_address_and_a_link_lead_to_their_view(opened, blocks):
    page = opened(blocks)
    page.get_by_role("link", name="load 16").first.click()
    expect(page.locator("#load-16")).to_be_visible()
    expect(page.locator("#load-1")).to_be_hidden()
    expect(page.get_by_role("tab", name="Loads")).to_have_attribute("aria-selected", "true")
    page.reload()
    expect(page.locator("#load-16")).to_be_visible()


def test_choices_of_many_pages_are_a_list(opened, blocks):
    page = opened(blocks)
    view = go(page, "About")
    select = view.get_by_role("combobox", name="Attempt")
    heading = view.locator(".choice h3:visible")
    expect(heading).to_have_text("Attempt 1")
    select.select_option("attempt 7")
    expect(heading).to_have_text("Attempt 7")
    view.get_by_role("button", name="next").click()
    expect(heading).to_have_text("Attempt 8")
    expect(select).to_have_value("attempt-8")


@pytest.mark.parametrize("by", ["click", "key"])
def test_tables_sort_up_down_and_back(opened, blocks, by):
    page = opened(blocks)
    table = go(page, "Loads").locator(".table").first
    before = values(table)
    column = 4
    head = table.locator("th").nth(column)
    button = head.get_by_role("button")
    for order, sign in SORTED.items():
        if by == "click":
            button.click()
        else:
            button.focus()
            page.keyboard.press("Enter")
        expect(head).to_have_attribute("aria-sort", order)
        found = [row[column] for row in values(table)]
        # What is missing is last in either order.
        assert found[-1] == ""
        numbers = [sign * float(value) for value in found[:-1]]
        assert len(numbers) == 7 and numbers == sorted(numbers)
    button.click()
    expect(head).not_to_have_attribute("aria-sort", re.compile(".+"))
    assert values(table) == before


def test_rows_are_searched(opened, blocks):
    page = opened(blocks)
    table = go(page, "Requests").locator(".table")
    table.get_by_label("Search rows").fill("try 503")
    expect(table.locator(".count")).to_have_text("6 of 300 rows")
    found = seen_rows(table)
    assert len(found) == 6 and all("HTTP 503" in row[3] for row in found)
    _, text = saved(page, table.get_by_role("button", name="CSV"))
    assert [row[0] for row in csv_rows(text)[1:]] == ["49", "99", "149", "199", "249", "299"]


def test_rows_of_long_tables_come_as_one_scrolls_to_them(opened, blocks):
    page = opened(blocks)
    table = go(page, "Requests").locator(".table")
    rows = table.locator("tbody tr")
    expect(table.locator(".count")).to_have_text("300 rows")
    expect(rows).to_have_count(100)
    for more in (200, 300, 300):
        table.locator(".rows").evaluate("box => { box.scrollTop = box.scrollHeight; }")
        expect(rows).to_have_count(more)
    # Sorted as a whole, not what is seen of it; what is handed out is the whole.
    table.get_by_role("button", name="Request", exact=True).dblclick()
    expect(rows).to_have_count(100)
    assert seen_rows(table)[0][0] == "299"
    _, text = saved(page, table.get_by_role("button", name="CSV"))
    assert [row[0] for row in csv_rows(text)[1:]] == [str(place) for place in range(299, -1, -1)]
    assert csv_rows(text)[300 - 49][3] == 'HTTP 503, "try again"'
    assert seen_rows(table)[9][2] == f"{float(csv_rows(text)[10][2]):.3f}"


def test_tables_are_handed_out_with_whole_numbers(opened, blocks):
    page = opened(blocks)
    table = go(page, "Loads").locator(".table").first
    expected = values(table)
    keys = ["load", "users", "output_tok_per_s", "ttft_mean_ms", "ttft_p99_ms", "success", "verdict"]
    name, text = saved(page, table.get_by_role("button", name="CSV"))
    assert name == "loads.csv"
    head, *rows = csv_rows(text)
    assert head == keys and rows == expected
    name, text = saved(page, table.get_by_role("button", name="JSON"))
    assert name == "loads.json"
    objects = json.loads(text)
    assert [list(row) for row in objects] == [keys] * 8
    assert objects[3]["ttft_p99_ms"] is None and objects[0]["users"] == 1
    assert [row["ttft_mean_ms"] for row in objects] == [float(row[3]) for row in expected]
    table.get_by_role("button", name="Copy").click()
    expect(table.get_by_role("button", name="Copied")).to_be_visible()


def test_files_of_the_page_come_out_as_they_went_in(opened, blocks):
    page = opened(blocks)
    view = go(page, "About")
    assert saved(page, view.get_by_role("button", name="All values (JSON)")) == (
        "values.json",
        '{"text":"</script> é"}\n',
    )
    assert len(view.locator("pre").inner_text().splitlines()) == 2
    view.get_by_role("button", name="Copy").click()
    expect(view.get_by_role("button", name="Copied")).to_be_visible()
    view.get_by_text("More", exact=True).click()
    expect(view.get_by_text("What is seldom asked for.")).to_be_visible()


def test_every_figure_is_drawn(opened, blocks):
    page = opened(blocks)
    view = go(page, "Figures")
    found = {it.get_attribute("data-name"): shapes(it) for it in view.locator(".figure").all()}
    assert list(found) == ["throughput", "over-time", "percentiles", "frontier", "lengths"]
    assert found["throughput"] > 40 and found["frontier"] > 30 and found["lengths"] > 200
    assert found["over-time"] == 2 and found["percentiles"] == 3
    for it in view.locator(".drawn > svg").all():
        box = it.bounding_box()
        assert box["width"] > 400 and box["height"] > 200


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("throughput", "wheel"),
        ("throughput", "key"),
        ("throughput", "box"),
        ("over-time", "button"),
        ("percentiles", "box"),
        ("frontier", "button"),
        ("lengths", "wheel"),
    ],
)
def test_figures_are_enlarged_and_shown_whole_again(opened, blocks, name, how):
    page = opened(blocks)
    it = figure(go(page, "Figures"), name)
    before, marks = drawn(it), ticks(it, "x") + ticks(it, "y")
    plot = it.locator("[data-part=ticks-y]").first
    it.scroll_into_view_if_needed()
    box, axis = it.locator(".drawn > svg").bounding_box(), plot.bounding_box()
    # A place in the first plot.
    x, y = axis["x"] + axis["width"] * 0.6, axis["y"] + axis["height"] * 0.4
    assert box["x"] < x < box["x"] + box["width"]
    if how == "button":
        it.get_by_role("button", name="enlarge").click()
    elif how == "key":
        it.locator(".drawn").focus()
        page.keyboard.press("+")
        page.keyboard.press("ArrowRight")
    elif how == "wheel":
        page.mouse.click(x, y)
        page.mouse.wheel(0, -240)
    else:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 60, y + 60, steps=3)
        expect(it.locator(".box")).to_be_visible()
        page.mouse.up()
    is_zoomed(it)
    after = drawn(it)
    assert after != before and 'overflow="hidden"' in after
    new = ticks(it, "x") + ticks(it, "y")
    assert new != marks and len(new) >= 4
    if how == "box":
        page.mouse.dblclick(x, y)
    elif how == "key":
        page.keyboard.press("0")
    else:
        it.get_by_role("button", name="All", exact=True).click()
    is_reset(it)
    assert drawn(it) == before


def test_marks_are_round_values_of_what_is_seen(opened, blocks):
    page = opened(blocks)
    it = figure(go(page, "Figures"), "throughput")
    for _ in range(3):
        it.get_by_role("button", name="enlarge").click()
    # A fifth of 0 to 7,160 and of the doublings from 1 to 256, around the middle.
    expect(it.locator("[data-part=ticks-y] text").first).to_have_text("3000")
    assert ticks(it, "y") == ["3000", "3500", "4000", "4500"]
    assert ticks(it, "x") == ["10", "15", "20", "25"]


def test_scales_are_those_that_the_figures_were_drawn_with(opened, blocks):
    # Each mark that is a number, and where it should be: `20k` is 20,000, and `1:30` are 90 seconds.
    script = """figure => JSON.parse(figure.querySelector(":scope > script").textContent).flatMap((plot, index) =>
        ["x", "y"].flatMap((name) => {
            const [left, top, right, bottom] = plot.frame;
            const [from, to] = name === "x" ? [left, right] : [bottom, top];
            const group = figure.querySelector(`[data-part=ticks-${name}][data-plot="${index}"]`);
            const lines = [...group.querySelectorAll("polyline")].map((line) => Number(line.getAttribute("points").split(" ")[0].split(",")[name === "x" ? 0 : 1]));
            return [...group.querySelectorAll("text")].map((text, place) => {
                const [, number, unit] = text.textContent.match(/^([\\d.:]+)([kM]?)$/);
                const value = number.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) * ({ k: 1e3, M: 1e6 }[unit] ?? 1);
                const at = from + crestline.scale.share(plot[name], value) * (to - from);
                return [plot[name].kind, Math.abs(at - lines[place]), Math.abs(crestline.scale.value(plot[name], crestline.scale.share(plot[name], value)) - value) / (1 + value)];
            });
        }))"""
    page = opened(blocks)
    kinds = set()
    for it in go(page, "Figures").locator(".figure").all():
        for kind, pixels, values in it.evaluate(script):
            kinds.add(kind)
            assert pixels < 0.02 and values < 1e-9, kind
    assert kinds == {"linear", "log", "log2", "sqrt", "time", "percentile"}


def test_plots_with_the_same_axis_are_enlarged_together(opened, blocks):
    page = opened(blocks)
    view = go(page, "Figures")
    lengths = figure(view, "lengths")
    frames = [plot["frame"] for plot in plots(lengths)]
    assert len(frames) == 4
    lengths.get_by_role("button", name="enlarge").click()
    is_zoomed(lengths)
    assert lengths.locator("[data-part=inside][overflow=hidden]").count() == 4


def test_the_nearest_value_is_told(opened, blocks):
    page = opened(blocks)
    view = go(page, "Figures")
    it = figure(view, "throughput")
    tip = it.locator(".tip")
    mark = it.locator("[data-part=inside] circle.fill-1").nth(4)
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("Users in flight: 16")
    # 7000 * 16 / 36, with its interval.
    expect(tip.locator(".near")).to_contain_text("tensor_parallel_size=2")
    expect(tip.locator(".near")).to_contain_text("3111.1 (2800 to 3422.2)")
    expect(tip).to_contain_text("tensor_parallel_size=1")
    page.mouse.move(box["x"], 5)
    expect(tip).to_be_hidden()
    it.locator(".drawn").focus()
    page.keyboard.press("n")
    expect(tip).to_contain_text("Users in flight: 1")
    page.keyboard.press("n")
    expect(tip).to_contain_text("Users in flight: 2")


def test_a_curve_is_hidden_by_its_entry_in_the_key(opened, blocks):
    page = opened(blocks)
    it = figure(go(page, "Figures"), "throughput")
    button = it.get_by_role("button", name="tensor_parallel_size=2")
    curve = it.locator("[data-part=inside] polyline.line-1")
    expect(curve).to_be_visible()
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(curve).to_be_hidden()
    expect(it.locator("[data-part=inside] polyline.line-0")).to_be_visible()
    button.click()
    expect(curve).to_be_visible()


def test_figures_are_handed_out_with_their_values(opened, blocks):
    page = opened(blocks)
    it = figure(go(page, "Figures"), "throughput")
    name, text = saved(page, it.get_by_role("button", name="CSV"))
    head, *rows = csv_rows(text)
    assert name == "throughput.csv"
    assert head == ["series", "kind", "Users in flight", "Output tokens a second", "low", "high"]
    # Two curves of nine points, two runs and an interval each.
    assert len(rows) == 2 * 9 * 4
    assert ["tensor_parallel_size=2", "curve", "16", "3111.111", "", ""] in rows
    name, text = saved(page, it.get_by_role("button", name="JSON"))
    assert [len(series["rows"]) for series in json.loads(text)[0]["series"]] == [9, 18, 9] * 2
    name, text = saved(page, it.get_by_role("button", name="SVG"))
    assert name == "throughput.svg"
    root = ElementTree.fromstring(text)
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "Throughput against load" in words and "tensor_parallel_size=1" in words
    assert "stroke: rgb(0, 114, 178)" in text and "prefers-color-scheme:dark" in text


def test_a_saved_figure_looks_as_on_the_page(opened, blocks, tmp_path: Path):
    page = opened(blocks)
    it = figure(go(page, "Figures"), "throughput")
    _, text = saved(page, it.get_by_role("button", name="SVG"))
    path = tmp_path / "figure.svg"
    path.write_text(text)
    file = opened(path)
    shown = file.locator("svg").first.bounding_box()
    assert shown["width"] > 600
    stroke = "line => getComputedStyle(line).stroke"
    assert file.locator("polyline.line-1").first.evaluate(stroke) == "rgb(230, 159, 0)"
    assert file.locator("text", has_text="tensor_parallel_size=2").is_visible()


def test_the_course_of_requests_is_drawn_and_enlarged(opened, blocks):
    page = opened(blocks)
    view = go(page, "Requests")
    canvas = view.locator("canvas")
    page.wait_for_function("document.querySelector('.waterfall').view.t1 > 1e6")
    expect(canvas).to_be_visible()
    assert colours(canvas) > 5
    before = page.evaluate("({ ...document.querySelector('.waterfall').view })")
    canvas.focus()
    page.keyboard.press("+")
    after = page.evaluate("({ ...document.querySelector('.waterfall').view })")
    assert after["t1"] - after["t0"] < before["t1"] - before["t0"]
    page.keyboard.press("0")
    assert page.evaluate("({ ...document.querySelector('.waterfall').view })") == before


def test_dark_is_as_the_screen_until_the_button_says_otherwise(opened, blocks):
    ground = "() => getComputedStyle(document.body).backgroundColor"
    axis = "() => getComputedStyle(document.querySelector('.crestline-figure .plot')).fill"
    light, dark = ("rgb(255, 255, 255)", "rgb(246, 248, 250)"), ("rgb(13, 17, 23)", "rgb(22, 27, 34)")
    for scheme, shades in [("light", [light, dark, light]), ("dark", [dark, light, dark])]:
        page = opened(blocks, scheme=scheme)
        found = []
        for _ in range(3):
            found.append((page.evaluate(ground), page.evaluate(axis)))
            page.get_by_role("button", name="Light / dark").click()
        assert found == shades


def test_texts_can_be_told_from_their_ground(opened, blocks):
    # The contrast of WCAG 2: 4.5 for texts.
    script = """() => {
        const shade = (text) => text.match(/[\\d.]+/g).map(Number);
        const light = (text) => shade(text).slice(0, 3).map((part) => part / 255)
            .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
            .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
        const ground = (at) => { for (; at; at = at.parentElement) { const found = getComputedStyle(at).backgroundColor; if (shade(found)[3] !== 0) return found; } };
        return [...document.querySelectorAll("main *, header *")].filter((it) => it.checkVisibility() && !it.closest("svg, :disabled")
            && [...it.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
            .map((it) => [it.textContent.slice(0, 40), [light(getComputedStyle(it).color), light(ground(it))].sort((a, b) => b - a)])
            .map(([text, [high, low]]) => [text, (high + 0.05) / (low + 0.05)]).filter(([, ratio]) => ratio < 4.5);
    }"""
    for scheme in ["light", "dark"]:
        page = opened(blocks, scheme=scheme)
        for view in every_view(page):
            assert page.evaluate(script) == [], f"{scheme}, {view}"


def test_all_is_on_paper_and_there_without_scripts(opened, blocks):
    page = opened(blocks)
    page.emulate_media(media="print")
    assert page.locator("main > .view:visible").count() == 5
    assert page.get_by_role("button", name="CSV").count() == 0
    still = opened(blocks, java_script_enabled=False)
    assert still.locator("main > .view:visible").count() == 5
    assert still.locator(".choice .view:visible").count() == 4 + 12


def test_two_fingers_enlarge_and_one_moves(opened, blocks):
    page = opened(blocks, width=420, has_touch=True)
    it = figure(go(page, "Figures"), "throughput")
    it.scroll_into_view_if_needed()
    inside = it.locator("[data-part=inside]").first.bounding_box()
    x, y = inside["x"] + inside["width"] / 2, inside["y"] + inside["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        places = [{"x": left, "y": top, "id": place} for place, (left, top) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (x - 20, y))
    touch("touchStart", (x - 20, y), (x + 20, y))
    for far in (30, 45, 60):
        touch("touchMove", (x - far, y), (x + far, y))
    touch("touchEnd")
    is_zoomed(it)
    before = ticks(it, "x")
    touch("touchStart", (x, y))
    for far in (20, 40, 60):
        touch("touchMove", (x - far, y))
    touch("touchEnd")
    page.wait_for_function(
        "before => [...document.querySelectorAll('.figure [data-part=ticks-x]')].find(it => it.checkVisibility()).textContent !== before",
        arg="".join(before),
    )
