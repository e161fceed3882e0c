"""What a person sees of a sweep: the pages that its links open, in a real browser."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    JavascriptException,
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None or DRIVER is None,
        reason=f"needs chromedriver and one of {', '.join(BROWSERS)} on PATH",
    ),
]

TWOTOWER = str(Path(sys.executable).with_name("twotower"))
HOST = "127.0.0.1"
LINK = r"^(table|compare|charts|sweep|report) +(\S+)$"
PRINTED = f"http://{HOST}:5000/"  # of links; the tests' UI takes a port that is free
SECONDS = 60  # for one element of one page, on a machine that does much else

# 60 users and 40 items: a trial takes less than a second.
FIXED = (
    "dataset=synthetic",
    "dataset.n_users=60",
    "dataset.n_items=40",
    "dataset.n_interactions=1000",
    "preprocessing=none",
    "split=last_n",
    "split.n=2",
    "trainer.max_epochs=3",
    "trainer.batch_size=256",
    "trainer.progress_bar=false",
)
AXES = ("tower.emb_dim=2,4", "negative_sampling.num_negatives=1,2")
TRIALS = {(emb_dim, negatives) for emb_dim in (2, 4) for negatives in (1, 2)}
NAMES = {f"emb_dim={emb_dim} num_negatives={negatives}" for emb_dim, negatives in TRIALS}
METRICS = ("val/coverage_at_10", "val/hitrate_at_10", "val/ndcg_at_10")

# Every chart that Plotly has drawn: its metric and, by run, the value that its line ends with.
CHARTS = """
return [...document.querySelectorAll('.js-plotly-plot')]
  .filter(plot => plot.querySelector('svg .trace path.js-line'))
  .map(plot => [
    plot.data[0].metricKey,
    Object.fromEntries(plot.data.map(trace => [trace.name, trace.y.at(-1)])),
  ]);
"""
PARALLEL_COORDINATES = """
const plot = document.querySelector('.js-plotly-plot');
return plot.querySelector('canvas') && Object.fromEntries(
  plot.data[0].dimensions.map(axis => [axis.label, [...axis.values]]));
"""
# The keys of the table's columns, from left to right.
HEADERS = """
const left = header => header.getBoundingClientRect().left;
return [...document.querySelectorAll('.ag-header-cell')]
  .sort((one, other) => left(one) - left(other)).map(header => header.getAttribute('col-id'));
"""


@dataclass(frozen=True)
class Swept:
    """A sweep that is done. links: by the word that they are printed with; table: by trial."""

    links: dict[str, str]
    table: pl.DataFrame


@dataclass(frozen=True)
class Browser:
    driver: webdriver.Chrome

    def open(self, address: str) -> None:
        self.driver.get("about:blank")  # or an address that differs behind # alone loads nothing
        self.driver.get(address)

    def eventually(self, found: Callable[[], Any]) -> Any:
        """What `found` gives, once that is something: pages draw as their data arrive."""
        not_yet = (
            ElementClickInterceptedException,
            JavascriptException,
            NoSuchElementException,
            StaleElementReferenceException,
        )
        wait = WebDriverWait(self.driver, SECONDS, 0.2, ignored_exceptions=not_yet)
        try:
            return wait.until(lambda _: found())
        except TimeoutException:
            pytest.fail(f"Not found on {self.driver.current_url}:\n{self.text()}")

    def script(self, text: str) -> Any:
        return self.driver.execute_script(text)

    def text(self) -> str:
        return str(self.script("return document.body.innerText"))

    def click(self, selector: str, text: str) -> None:
        """On the first such element whose whole text is `text`, as soon as there is one."""

        def clicked() -> bool:
            elements = self.driver.find_elements(By.CSS_SELECTOR, selector)
            element = next((e for e in elements if e.text.strip() == text), None)
            if element is not None:
                element.click()
            return element is not None

        self.eventually(clicked)

    def complaints(self) -> list[dict[str, Any]]:
        """What the console has shown since this was last asked, such as a file not found."""
        return list(self.driver.get_log("browser"))  # type: ignore[no-untyped-call]

    def links(self) -> set[str]:
        """The texts of links to runs, also where they are cut short on the screen."""
        texts = self.script(
            "return [...document.querySelectorAll(\"a[href*='/runs/']\")].map(a => a.textContent)"
        )
        return {text.strip() for text in texts}


@pytest.fixture(scope="module")
def output_dir(tmp_path_factory: pytest.TempPathFactory, migrated_db: Path) -> Path:
    folder = tmp_path_factory.mktemp("browser") / "outputs"
    folder.mkdir()
    shutil.copy(migrated_db, folder / "mlflow.db")
    return folder


@pytest.fixture(scope="module")
def ui(output_dir: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a UI that is starting, and its process; it shows what comes in meanwhile."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    where = [f"output_dir={output_dir}", f"port={port}", "open_browser=false"]
    with subprocess.Popen(
        [TWOTOWER, "ui", *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield f"http://{HOST}:{port}/", process
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


@pytest.fixture(scope="module")
def swept(output_dir: Path, ui: tuple[str, subprocess.Popen[str]]) -> Swept:
    """The sweep runs while the UI starts: both take many seconds."""
    done = subprocess.run(
        [TWOTOWER, "train", "-m", *FIXED, *AXES, f"output_dir={output_dir}"],
        cwd=output_dir.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    links = dict(re.findall(LINK, done.stdout, re.MULTILINE))
    page = Path(links["report"].removeprefix("file://"))
    table = pl.read_parquet(page.with_name("table.parquet"))
    return Swept(links, table)


@pytest.fixture(scope="module")
def links(swept: Swept, ui: tuple[str, subprocess.Popen[str]]) -> dict[str, str]:
    """The links that the sweep printed, at the address of a UI that answers."""
    base, process = ui
    assert process.stdout is not None
    assert process.stdout.readline().startswith(f"MLflow UI: {base.rstrip('/')}")
    printed = {name: link for name, link in swept.links.items() if name != "report"}
    assert all(link.startswith(PRINTED) for link in printed.values())
    return {name: link.replace(PRINTED, base) for name, link in printed.items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    assert BROWSER is not None
    options.binary_location = BROWSER
    # Chromium's sandbox needs what containers do not give; the pages are our own.
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    options.add_argument("--window-size=1600,1000")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def test_the_charts_show_every_trial(browser: Browser, swept: Swept, links: dict[str, str]) -> None:
    browser.open(links["charts"])
    browser.eventually(lambda: browser.links() >= NAMES)

    def drawn() -> dict[str, dict[str, float]] | None:
        charts = dict(browser.script(CHARTS))
        complete = all(set(charts.get(metric, ())) >= NAMES for metric in METRICS)
        return charts if complete else None

    charts = browser.eventually(drawn)
    for metric in METRICS:
        expected = dict(swept.table.select("name", metric).iter_rows())
        assert set(expected) == NAMES
        assert {name: charts[metric][name] for name in NAMES} == pytest.approx(expected)


def test_the_comparison_sets_all_trials_side_by_side(
    browser: Browser, swept: Swept, links: dict[str, str]
) -> None:
    browser.open(links["compare"])
    axes = browser.eventually(lambda: browser.script(PARALLEL_COORDINATES))
    keys = ["emb_dim", "num_negatives", "val/ndcg_at_10"]  # what varies, and what chooses
    assert list(axes) == keys
    text = browser.text()
    assert "Comparing 4 Runs" in text
    assert all(name in text for name in NAMES)
    shown = zip(*(axes[key] for key in keys), strict=True)  # one line a run, the best first
    columns = ["tower.emb_dim", "negative_sampling.num_negatives", "val/ndcg_at_10"]
    assert [pytest.approx(line) for line in shown] == swept.table.select(columns).rows()


@pytest.mark.parametrize("view", ["of the sweep", "of all runs"])
def test_the_table_shows_what_varies_and_what_came_of_it(
    browser: Browser, links: dict[str, str], view: str
) -> None:
    link = links["table"]
    if view == "of all runs":
        link = f"{link.rpartition('=')[0]}=twotower"
    browser.open(link)
    columns = ["params.`emb_dim`", "params.`num_negatives`", "metrics.`val/ndcg_at_10`"]
    browser.eventually(lambda: set(browser.script(HEADERS)) >= set(columns))
    assert [name for name in browser.script(HEADERS) if name in columns] == columns
    browser.eventually(lambda: browser.links() >= NAMES)


def test_the_sweeps_own_run_reports_the_best_and_shows_its_figures(
    browser: Browser, swept: Swept, links: dict[str, str]
) -> None:
    browser.open(links["sweep"])
    browser.eventually(lambda: browser.links() >= NAMES)
    best = swept.table.row(0, named=True)
    text = browser.text()
    overrides = [o for o in best["overrides"].split() if not o.startswith("seed=")]
    assert f"best: twotower train {' '.join(overrides)}" in text
    assert f"test, {best['name']}: NDCG@10 {best['test/ndcg_at_10']:.4f}" in text

    browser.click("[role=tab]", "Artifacts")
    browser.click("[data-testid=artifact-tree-node]", "plots")
    browser.click("[data-testid=artifact-tree-node]", "settings_ndcg_at_10.png")
    width = (
        "return document.querySelector('img[alt=\"plots/settings_ndcg_at_10.png\"]').naturalWidth"
    )
    assert browser.eventually(lambda: browser.script(width)) > 300  # 0 until it is loaded


def test_the_report_needs_nothing_but_itself(browser: Browser, swept: Swept) -> None:
    browser.complaints()  # those of pages before this one
    browser.open(swept.links["report"])
    rows = "return [...document.querySelectorAll('#settings tbody tr')].map(row => row.innerText)"
    shown = [row.split()[:3] for row in browser.script(rows)]
    by_rank = swept.table.select("tower.emb_dim", "negative_sampling.num_negatives").rows()
    assert shown == [[f"{n}", *map(str, pair)] for n, pair in enumerate(by_rank, start=1)]

    browser.click("#settings th button", "emb_dim")  # sorts: what is equal stays by rank
    firsts = [row.split()[1] for row in browser.script(rows)]
    assert firsts == ["2", "2", "4", "4"]

    images = "return [...document.images].map(image => [image.src.slice(0, 5), image.naturalWidth])"
    sources = browser.script(images)
    assert len(sources) >= 3
    assert all(scheme == "data:" and width > 300 for scheme, width in sources)
    loaded = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    assert [name for name in browser.script(loaded) if not name.startswith("data:")] == []
    foreign = "return document.querySelectorAll('link, iframe, object, script[src], base').length"
    assert browser.script(foreign) == 0
    anchors = "return [...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"
    assert set(browser.script(anchors)) <= set(swept.links.values())
    assert browser.complaints() == []
