"""The page in a real browser, with the mouse and the keyboard: `make test-browser`.

Needs SPACY_BIGBIRD_CHROMIUM, the path of a Chromium.
"""

import json
import re

import pytest

from ..files.sample_files import write_pdf
from .browser import CHROMIUM, contract, running
from .conftest import make_client

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="SPACY_BIGBIRD_CHROMIUM names no browser")
WIDTHS = [1280, 420]
IN_THE_MIDDLE = """(() => {
  const range = document.caretRangeFromPoint(innerWidth / 2, innerHeight / 2);
  return range.startContainer.parentElement.closest(".block").textContent;
})()"""


@pytest.fixture(scope="module")
def address():
    with running(make_client(max_characters=3_000_000).app) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(params=WIDTHS)
def page(browser, address, request):
    context = browser.new_context(viewport={"width": request.param, "height": 860}, accept_downloads=True)
    opened = context.new_page()
    opened.problems = []
    opened.asked = []
    opened.on("pageerror", lambda error: opened.problems.append(str(error)))
    opened.on("console", lambda message: message.type == "error" and opened.problems.append(message.text))
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.goto(address)
    opened.wait_for_selector("#pipeline option", state="attached")
    yield opened
    assert opened.problems == []
    assert [url for url in opened.asked if not url.startswith((address, "blob:"))] == []
    context.close()


def paste(page, text):
    page.fill("#text", text)
    page.click("text=Read the text")
    page.wait_for_selector("#reader:not([hidden])")


def test_marks_threshold_and_labels(page):
    from playwright.sync_api import expect

    paste(page, "1. Rent\nAnna 😀 rents. Boris pays. Clara waits.")
    page.wait_for_selector("mark")
    shown = [re.sub(r"[A-Z]+ [\d.]+", "", text) for text in page.locator("mark.long, mark").all_text_contents()]
    assert "Anna" in "".join(shown) and page.locator("#document").inner_text().startswith("1. Rent")
    people = page.locator("#labels label", has_text="PERSON").locator(".count")
    assert people.text_content() == "2"
    page.fill("#threshold", "0.2")
    expect(page.locator("#labels .count").first).to_have_text("3")
    page.locator("#labels label", has_text="PERSON").locator("input").uncheck()
    expect(page.locator("mark[title*=PERSON]")).to_have_count(0)
    assert page.locator("#categories li.yes").count() == 2


def test_with_the_keyboard_alone(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#text").focus()
    page.keyboard.type("Anna rents the garden. Boris pays.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("mark")
    page.keyboard.press("n")
    page.wait_for_selector("mark:focus")
    assert page.locator("#place").text_content().startswith("1 of ")
    page.keyboard.press("n")
    page.keyboard.press("p")
    assert page.locator("#place").text_content().startswith("1 of ")
    page.keyboard.press("/")
    page.keyboard.type("Who rents?")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answers button")
    page.locator("#answers button").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("mark.answer:focus")
    assert page.evaluate("document.activeElement.firstChild.data") == "Anna"


def test_a_file_with_pages_and_a_download(page, tmp_path):
    path = write_pdf(tmp_path / "lease.pdf", [["An index."], ["Anna signs."]])
    page.set_input_files("#file", path)
    page.wait_for_selector(".page-break")
    assert page.locator(".page-break").all_text_contents() == ["page 1", "page 2"]
    page.fill("#question", "nothing?")
    page.click("#ask button")
    page.wait_for_selector("#answers .none")
    with page.expect_download() as download:
        page.click("#download")
    found = json.loads(download.value.path().read_text(encoding="utf8"))
    assert download.value.suggested_filename == "lease.json" and found["pages"] == [0, 11]
    assert [answer["question"] for answer in found["answers"]] == ["nothing?"]
    page.click("#another")
    (tmp_path / "damaged.docx").write_bytes(b"no")
    page.problems.clear()
    page.set_input_files("#file", tmp_path / "damaged.docx")
    page.wait_for_selector("#problem:not([hidden])")
    assert "damaged.docx" in page.locator("#problem").text_content()
    # The browser's own note of the refusal.
    page.problems.clear()


def test_of_half_a_million_characters_only_what_is_near_the_window_is_drawn(page):
    text = contract(500_000)
    page.evaluate("(text) => { document.querySelector('#text').value = text; }", text)
    page.click("text=Read the text")
    page.wait_for_selector("mark", timeout=120_000)
    assert page.locator("#document").evaluate("(element) => element.textContent.length") >= len(text)
    drawn = page.locator("mark").count()
    assert drawn < 1000, "only the marks near the window are drawn"
    last = page.locator("#headings button").last
    title = last.locator("span").first.text_content()
    last.click()
    page.wait_for_timeout(500)
    block = page.evaluate(IN_THE_MIDDLE)
    # The label of a mark may stand behind the number.
    assert re.search(rf"\b{title.split('.')[0]}\.(CLAUSE [\d.]+)? ", block)
    page.fill("#threshold", "0.7")
    page.wait_for_timeout(300)
    assert page.locator("mark").count() < 1000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_its_background(browser, address, scheme):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("#pipeline option", state="attached")
    paste(page, "Anna rents the garden. Boris pays.")
    page.wait_for_selector("mark")
    contrast = page.evaluate(
        """() => {
          const rgb = (color) => color.match(/[\\d.]+/g).slice(0, 3).map(Number);
          const light = (color) => {
            const [r, g, b] = rgb(color).map((v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ratio = (one, other) => {
            const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
            return (a + 0.05) / (b + 0.05);
          };
          const style = (selector) => getComputedStyle(document.querySelector(selector));
          const sheet = style(".page").backgroundColor;
          const mark = style("mark:not(.long)");
          return {
            text: ratio(style("body").color, sheet), mark: ratio(mark.color, mark.backgroundColor),
            tag: ratio(style("mark:not(.long) .tag").color, mark.backgroundColor),
            soft: ratio(style(".facts").color, sheet),
          };
        }"""
    )
    assert contrast["text"] > 7 and min(contrast.values()) >= 4.5, contrast
    context.close()
