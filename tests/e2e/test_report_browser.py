"""The report in a real browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from evaluated_rows import rows, write_evaluation
from made_up_run import HOSTILE, LATE, write_run
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from radrl.compare import compare
from radrl.report import build_report

pytestmark = pytest.mark.browser

ARTIFACTS = Path(os.environ.get("RADRL_ARTIFACTS", "artifacts"))
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(write_run(tmp_path_factory.mktemp("runs") / "phantom", num_steps=12, hostile=HOSTILE))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        reason = "chromium and chromedriver are not installed: apt-get install chromium chromium-driver"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    session = webdriver.Chrome(options=options, service=Service(driver))
    yield session
    session.quit()


@pytest.fixture
def page(browser: WebDriver, report: Path) -> WebDriver:
    browser.get(report.as_uri())
    return browser


def num_listed(page: WebDriver) -> int:
    return len(page.find_elements(By.CSS_SELECTOR, "#list button"))


def show(page: WebDriver, control: str, value: str) -> None:
    Select(page.find_element(By.ID, control)).select_by_value(value)


def drawing(page: WebDriver) -> WebElement:
    """The facts of the rollout at hand, once the page has unpacked them."""
    WebDriverWait(page, 20).until(lambda page: page.find_elements(By.CSS_SELECTOR, ".drawing > *"))
    return page.find_element(By.CSS_SELECTOR, ".drawing > *")


def test_the_report_opens_from_disk_without_a_console_message(page: WebDriver) -> None:
    assert page.get_log("browser") == []
    assert "not for clinical use" in page.find_element(By.CSS_SELECTOR, ".banner").text
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert page.execute_script("return performance.getEntriesByType('resource').every(e => e.name.startsWith('data:'))")


def test_the_first_rollout_shows_film_steps_facts_tokens_and_rewards(page: WebDriver) -> None:
    show(page, "stage", "=open")
    detail = page.find_element(By.ID, "detail")
    film = detail.find_element(By.TAG_NAME, "img")
    assert page.execute_script("return arguments[0].complete && arguments[0].naturalWidth", film) == 64
    assert len(detail.find_elements(By.CSS_SELECTOR, ".steps tbody tr")) == 4
    assert drawing(page).tag_name == "svg"
    assert len(detail.find_elements(By.CSS_SELECTOR, ".facts tbody tr")) >= 3
    assert detail.find_elements(By.CSS_SELECTOR, ".tokens span[title^='probability']")
    assert "step_correctness" in detail.text


def test_the_facts_can_be_read_as_a_list_under_their_drawing(page: WebDriver) -> None:
    rows = page.find_elements(By.CSS_SELECTOR, ".facts tbody tr")
    assert rows
    assert not rows[0].is_displayed()
    page.find_element(By.CSS_SELECTOR, "#detail details summary").click()
    assert rows[0].is_displayed()


def test_a_browser_that_cannot_unpack_drawings_lists_the_facts(browser: WebDriver, report: Path) -> None:
    removed = browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.DecompressionStream"}
    )
    try:
        browser.get(report.as_uri())
        assert "cannot unpack" in drawing(browser).text
        assert browser.find_element(By.CSS_SELECTOR, ".facts tbody tr").is_displayed()
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", removed)


def test_the_reasons_of_a_reward_are_marked_in_the_text_and_listed_and_stay_chosen(page: WebDriver) -> None:
    show(page, "stage", "=open")
    show(page, "show", "right")
    page.find_element(By.CSS_SELECTOR, "[data-lens=answer_f1]").click()
    marked = page.find_elements(By.CSS_SELECTOR, ".tokens mark.judged")
    answer = page.find_element(By.CSS_SELECTOR, ".answers > div > div:last-child").text
    assert [mark.text for mark in marked] == [answer]
    assert answer in page.find_element(By.CSS_SELECTOR, ".reasons li").text
    page.find_element(By.ID, "next").send_keys(Keys.ENTER)
    assert page.find_element(By.CSS_SELECTOR, ".lenses [aria-pressed=true]").get_attribute("data-lens") == "answer_f1"
    page.find_element(By.CSS_SELECTOR, "[data-lens='']").click()
    assert page.find_elements(By.CSS_SELECTOR, ".tokens span[title^='probability']")


def test_a_reward_that_gave_no_score_says_why_and_can_be_filtered_for(page: WebDriver) -> None:
    show(page, "show", "failures")
    assert num_listed(page) == 12 * 4
    assert "1 reward without a score" in page.find_element(By.CSS_SELECTOR, "#detail .chips").text
    assert page.find_element(By.CSS_SELECTOR, ".parts .failure").text == LATE


def test_on_a_phone_only_boxes_scroll_sideways(browser: WebDriver, report: Path) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get(report.as_uri())
        box = drawing(browser).find_element(By.XPATH, "..")
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
        assert browser.execute_script("return arguments[0].scrollWidth > arguments[0].clientWidth", box)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_filters_narrow_the_list(page: WebDriver) -> None:
    everything = num_listed(page)
    assert everything == 12 * 4 * 4

    show(page, "show", "worst")
    assert num_listed(page) == everything // 4
    show(page, "show", "right")
    num_right = num_listed(page)
    show(page, "show", "wrong")
    assert num_right + num_listed(page) == everything
    show(page, "show", "disagreements")
    chips = page.find_elements(By.CSS_SELECTOR, "#detail .chip.disagreement")
    assert chips
    show(page, "show", "")
    show(page, "kind", "=open")
    assert num_listed(page) == everything // 2
    assert {e.text.split(" · ")[1] for e in page.find_elements(By.CSS_SELECTOR, "#list .meta")} == {"open"}


def test_the_search_looks_into_completions_and_says_when_nothing_fits(page: WebDriver) -> None:
    search = page.find_element(By.ID, "search")
    search.send_keys("window.hacked onerror")
    assert num_listed(page) == 1
    search.send_keys(" nowhere-in-any-text")
    assert num_listed(page) == 0
    assert "No rollout fits" in page.find_element(By.ID, "list").text


def test_arrow_keys_walk_through_the_rollouts(page: WebDriver) -> None:
    page.find_element(By.CSS_SELECTOR, "#list button").send_keys(Keys.ARROW_DOWN)
    current = page.find_elements(By.CSS_SELECTOR, "#list button[aria-current=true]")
    buttons = page.find_elements(By.CSS_SELECTOR, "#list button")
    assert current == [buttons[1]]
    assert page.switch_to.active_element == buttons[1]


def test_a_completion_that_holds_script_tags_does_nothing_but_show_them(page: WebDriver) -> None:
    search = page.find_element(By.ID, "search")
    search.send_keys("hacked")
    for button in page.find_elements(By.CSS_SELECTOR, "#list button"):
        button.click()
        detail = page.find_element(By.ID, "detail")
        # Asked in the page: one of the texts holds half a character, which the driver cannot carry.
        assert page.execute_script("return arguments[0].textContent.includes('window.hacked')", detail)
        assert detail.find_elements(By.CSS_SELECTOR, "script, svg:not(.graphs), img:not([src^='data:image/'])") == []
    assert num_listed(page) == 3
    assert page.execute_script("return window.hacked") is None
    assert page.get_log("browser") == []


def test_a_screenshot_of_the_report_is_kept(page: WebDriver) -> None:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    height = page.execute_script("return document.documentElement.scrollHeight")
    page.set_window_size(1280, height)
    show(page, "stage", "=open")
    try:
        assert page.save_screenshot(str(ARTIFACTS / "report.png"))
    finally:
        page.set_window_size(1280, 1000)


def test_the_questions_of_a_comparison_are_filtered_without_a_script(browser: WebDriver, tmp_path: Path) -> None:
    """Of five questions two were lost, one was gained, one is wrong in the same way and one right twice."""
    sides = {"sft": [1, 1, 0, 0, 1], "rl": [0, 0, 1, 0, 1]}
    folders = [write_evaluation(tmp_path / name, rows(rights)) for name, rights in sides.items()]
    compare(folders, html=tmp_path / "page.html", resamples=20)
    browser.get((tmp_path / "page.html").as_uri())
    shown = {}
    for sort in ("all", "lost", "gained", "different"):
        browser.find_element(By.XPATH, f"//label[input[@value='{sort}']]").click()
        cases = browser.find_elements(By.CSS_SELECTOR, "article.case")
        shown[sort] = sum(case.is_displayed() for case in cases)
    assert shown == {"all": 3, "lost": 2, "gained": 1, "different": 0}
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
