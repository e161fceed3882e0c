"""Pictures of a sweep in a browser: table, comparison, charts, its own run and its report.

    python benchmarks/screenshots.py --output docs/images

Trains 12 models on MovieLens 100K by the command that a person would type, opens `twotower ui` on
them and takes pictures of the pages that the sweep links to, with headless Chromium; minutes, most
of them training. `--keep outputs` leaves the runs there; the same again trains only what is
missing. Chromium (or Google Chrome) and chromedriver must be on PATH; selenium and Pillow come with
`pip install -e ".[dev]"`.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

SWEEP = ("tower.emb_dim=8,16,32,64", "negative_sampling.num_negatives=1,5,10")
TRIALS = 12
METRIC = "val/ndcg_at_10"
PARAMS = ("emb_dim", "num_negatives")
FIGURE = "settings_ndcg_at_10.png"

TWOTOWER = str(Path(sys.executable).with_name("twotower"))
HOST = "127.0.0.1"
LINK = r"^(table|compare|charts|sweep|report) +(\S+)$"
PRINTED = f"http://{HOST}:5000/"  # of the links that a sweep prints
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVERS = ("chromedriver",)
SECONDS = 60  # for one element to appear
WIDTH, HEIGHT = 1600, 1000  # of the window, in pixels
TABLE_WIDTH = 2120
CHARTS_HEIGHT = 1600
REPORT_WIDTH = 1440  # its text is 1,344 wide
MOST_BYTES = 300_000  # of a picture

# How many runs each chart shows that Plotly has drawn; a run can have two lines.
DRAWN = """
return [...document.querySelectorAll('.js-plotly-plot')]
  .filter(plot => plot.querySelector('svg .trace path.js-line'))
  .map(plot => new Set(plot.data.map(trace => trace.name)).size);
"""
# MLflow's assistant floats over the corner, and a path on this machine tells others nothing.
TIDY = """
const style = document.createElement('style');
style.textContent = '[data-assistant-ui=true] { visibility: hidden }';
document.head.append(style);
for (const element of document.querySelectorAll('main *'))
  if (element.childElementCount === 0 && element.textContent.startsWith('Path:'))
    element.parentElement.style.visibility = 'hidden';
document.activeElement.blur();
"""


class Page:
    """A window of a browser that waits for what it is asked for."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, address: str, width: int = WIDTH, height: int = HEIGHT) -> None:
        self.resize(width, height)
        self.driver.get("about:blank")  # or an address that differs behind # alone loads nothing
        self.driver.get(address)

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def wait(self, found: Callable[[], Any], what: str) -> Any:
        """What `found` gives, once that is something. Exits after a minute without."""
        waiting = WebDriverWait(self.driver, SECONDS, 0.2, ignored_exceptions=[WebDriverException])
        try:
            return waiting.until(lambda _: found())
        except WebDriverException:
            sys.exit(f"{self.driver.current_url} does not show {what}")

    def find(self, selector: str, text: str = "") -> WebElement:
        """The first element that is shown, and whose text is or ends with `text`."""

        def found() -> WebElement | None:
            elements = self.driver.find_elements(By.CSS_SELECTOR, selector)
            shown = (e for e in elements if e.is_displayed() and e.text.strip().endswith(text))
            return next(shown, None)

        element = self.wait(found, f"{selector} {text}".strip())
        assert isinstance(element, WebElement)
        return element

    def click(self, selector: str, text: str = "") -> None:
        """Waits until nothing covers it."""

        def clicked() -> bool:
            self.find(selector, text).click()
            return True

        self.wait(clicked, f"{selector} {text}, to be clicked")

    def script(self, text: str) -> Any:
        return self.driver.execute_script(text)

    def save(self, path: Path) -> None:
        """A PNG below `MOST_BYTES`: of 256 colours if it must be, then smaller until it is."""
        self.script(TIDY)
        picture = Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")
        picture.save(path, optimize=True)
        while path.stat().st_size >= MOST_BYTES:
            picture.quantize(256).save(path, optimize=True)
            size = (round(picture.width * 0.9), round(picture.height * 0.9))
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        print(f"{path}: {path.stat().st_size // 1000} kB", flush=True)


def table(page: Page, link: str, path: Path) -> None:
    """What varies and what came of it, in the view that the sweep has saved."""
    page.open(link, width=TABLE_WIDTH, height=760)
    page.find("a[href*='/runs/']", "num_negatives=10")
    page.click("[data-component-id='mlflow.assistant.chat_panel.close']")  # open at first, only
    page.find(f".ag-header-cell[col-id='metrics.`{METRIC}`']")
    page.find(".ag-header-cell[col-id='attributes.`Dataset`']")  # columns on the right come last
    page.find(".ag-header-cell[col-id='attributes.`Models`']")
    page.save(path)


def compare(page: Page, link: str, path: Path) -> None:
    """The trials side by side, by the metric that chooses."""
    page.open(link)
    page.find(".js-plotly-plot")
    axes = "return document.querySelector('.js-plotly-plot').data[0].dimensions.map(d => d.label)"
    page.wait(lambda: page.script(axes) == [*PARAMS, METRIC], f"{METRIC} by what varies")
    page.save(path)


def charts(page: Page, link: str, path: Path) -> None:
    """All trials, in the view that the sweep has saved."""
    page.open(link, height=CHARTS_HEIGHT)
    complete = [TRIALS] * 5  # three metrics and two losses
    page.wait(lambda: page.script(DRAWN) == complete, "five charts of all trials")
    bar = page.driver.find_element(By.CSS_SELECTOR, ".react-resizable [handleaxis=e] .bar")
    mouse = ActionChains(page.driver).click_and_hold(bar).move_by_offset(70, 0).release()
    mouse.move_by_offset(-200, 0).perform()  # off the charts, which show tools under a mouse
    cut = "return [...document.querySelectorAll(\"a[href*='/runs/']\")]"
    cut += ".some(link => link.scrollWidth > link.clientWidth)"
    page.wait(lambda: page.script(cut) is False, "the names in full")
    page.wait(lambda: page.script(DRAWN) == complete, "the charts as they were")
    page.save(path)


def sweep_run(page: Page, link: str, path: Path) -> None:
    """What the sweep's own run tells."""
    page.open(link, height=860)
    page.find("a[href*='/runs/']", "num_negatives=10")
    page.click("[data-testid='show-comment-toggle']")
    page.save(path)


def artifacts(page: Page, link: str, path: Path) -> None:
    """The files of the sweep's own run, and a figure."""
    page.open(link, height=760)
    page.click("[role=tab]", "Artifacts")
    page.click("[data-testid=artifact-tree-node]", "plots")
    page.click("[data-testid=artifact-tree-node]", FIGURE)
    width = f"return document.querySelector('img[alt=\"plots/{FIGURE}\"]').naturalWidth"
    page.wait(lambda: page.script(width), FIGURE)  # 0 until it is loaded
    page.save(path)


def report(page: Page, link: str, path: Path) -> None:
    """The page that needs no server, from top to bottom."""
    page.open(link, width=REPORT_WIDTH)
    complete = "return [...document.images].every(image => image.naturalWidth > 0)"
    page.wait(lambda: page.script(complete), "its figures")
    page.resize(REPORT_WIDTH, page.script("return document.documentElement.scrollHeight"))
    page.save(path)


def swept(output_dir: Path) -> dict[str, str]:
    """The links that the sweep prints, by name, when it is done."""
    command = [TWOTOWER, "train", "-m", *SWEEP, *_elsewhere(output_dir)]
    environment = {**os.environ, "LOGNAME": "you"}  # MLflow shows who has run it
    done = subprocess.run(
        command, cwd=output_dir.parent, env=environment, stdout=subprocess.PIPE, text=True
    )
    print(done.stdout, flush=True)
    if done.returncode != 0:
        sys.exit("The sweep has failed.")
    return dict(re.findall(LINK, done.stdout, re.MULTILINE))


def _elsewhere(output_dir: Path) -> list[str]:
    """Nothing where it is called `outputs`: the pictures show the command."""
    return [] if output_dir.name == "outputs" else [f"output_dir={output_dir.name}"]


@contextmanager
def ui(output_dir: Path) -> Iterator[str]:
    """The address of a UI on the runs of `output_dir`."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    where = [f"output_dir={output_dir}", f"port={port}", "open_browser=false"]
    with subprocess.Popen([TWOTOWER, "ui", *where], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            if not process.stdout.readline():
                sys.exit("The UI did not start.")
            yield f"http://{HOST}:{port}/"
        finally:
            process.terminate()  # in the background of a shell, Ctrl-C's signal would be ignored


@contextmanager
def window() -> Iterator[Page]:
    options = webdriver.ChromeOptions()
    options.binary_location = on_path(BROWSERS)
    # Chromium's sandbox needs what containers do not give; the pages are our own. A mouse that
    # hovers, so that charts hide their tools until it does.
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    options.add_argument("--blink-settings=primaryHoverType=2,availableHoverTypes=2")
    driver = webdriver.Chrome(options=options, service=Service(on_path(DRIVERS)))
    try:
        yield Page(driver)
    finally:
        driver.quit()


def on_path(names: Sequence[str]) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    return found or sys.exit(f"None of {', '.join(names)} is on PATH; pictures need it.")


def take(output_dir: Path, images: Path) -> None:
    for names in (BROWSERS, DRIVERS):
        on_path(names)  # before minutes of training
    images.mkdir(parents=True, exist_ok=True)
    output_dir.mkdir(parents=True, exist_ok=True)
    links = swept(output_dir)
    with ui(output_dir) as base, window() as page:
        here = {name: link.replace(PRINTED, base) for name, link in links.items()}
        table(page, here["table"], images / "runs.png")
        compare(page, here["compare"], images / "compare.png")
        charts(page, here["charts"], images / "charts.png")
        sweep_run(page, here["sweep"], images / "sweep.png")
        artifacts(page, here["sweep"], images / "artifacts.png")
        report(page, links["report"], images / "report.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/images"), help="of the pictures")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="the output_dir of the runs, left as it is"
    )
    options = parser.parse_args()
    if options.keep is not None:
        take(options.keep.resolve(), options.output)
    else:
        with tempfile.TemporaryDirectory() as folder:
            take(Path(folder, "outputs"), options.output)


if __name__ == "__main__":
    main()
