"""The console's memory while it streams two cameras of 640 x 480 at 30 Hz and an arm at 500 Hz to a browser.

    python benchmarks/console_memory.py [--seconds 1800] [--json FILE] [--markdown FILE]

Publishers, console and a headless Chromium are processes of their own, on a router and a domain of their own. Flat is
where the straight line through the samples after the warm-up gains no more than a bar in half an hour, whatever the
length of the measurement; a short one has a wide margin, which is printed. Exit status 1 when the bar is missed.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
import tyro
from playwright.sync_api import Error, Page
from recording_session import CAMERAS, Conductor, SourceProcess

from tenon_console.testing import open_browser, open_console
from tenon_session.introspection import spinning_node
from tenon_session.testing.stage import private_network

MIB = 1 << 20
HALF_HOUR_S = 1800.0
BAR_MIB = 16.0
"""Growth in half an hour that still counts as flat: 5 % of what the process needs."""
MARGIN_S = 120.0
"""The sources go on for longer than the measurement."""
PAGE_TIMEOUT_MS = 120_000


@dataclass(frozen=True)
class Options:
    """seconds: of the measurement, warm-up included. warm_up_s: not counted. period_s: between samples."""

    seconds: float = HALF_HOUR_S
    warm_up_s: float = 60.0
    period_s: float = 1.0
    json: Path | None = None
    markdown: Path | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Of the console unless it says otherwise. growth_mib, error_mib: in half an hour by the fitted line, and the
    standard error of that. pictures_hz: shown in the browser, per camera. reloads: of the page, by the console's own
    script, once its connection was lost for too long. standstill_s: the longest time without a new picture of any
    camera. published: pictures, per camera."""

    seconds: float
    rss_first_mib: float
    rss_last_mib: float
    rss_most_mib: float
    growth_mib: float
    error_mib: float
    cpu_share: float
    browser_first_mib: float
    browser_last_mib: float
    pictures_hz: tuple[float, ...]
    reloads: int
    standstill_s: float
    published: int

    @property
    def is_flat(self) -> bool:
        return self.growth_mib <= BAR_MIB


def shown(page: Page) -> list[int]:
    """Pictures that the browser has shown, per camera; none while the page is being loaded anew."""
    try:
        counts: list[int] = page.locator("tenon-picture").evaluate_all(
            "all => all.map(one => Number(one.dataset.shown))"
        )
    except Error:
        return []
    return counts


class PictureCount:
    """Pictures shown per camera, counted on where a page that was loaded anew begins at zero."""

    def __init__(self, counts: Sequence[int], now_s: float) -> None:
        self.totals = [0] * len(counts)
        self.reloads = 0
        self.standstill_s = 0.0
        self._last = list(counts)
        self._newest_s = now_s

    def add(self, counts: Sequence[int], now_s: float) -> None:
        """counts: as the page has them now; of fewer cameras while it is being loaded."""
        if len(counts) == len(self._last):
            is_anew = any(now < last for now, last in zip(counts, self._last, strict=True))
            self.reloads += is_anew
            gained = [now if is_anew else now - last for now, last in zip(counts, self._last, strict=True)]
            self.totals = [total + more for total, more in zip(self.totals, gained, strict=True)]
            self._last = list(counts)
            if any(gained):
                self._newest_s = now_s
        self.standstill_s = max(self.standstill_s, now_s - self._newest_s)


def browser_mib() -> float:
    """Of all processes of the browser: those below this one that are called so."""
    found = psutil.Process().children(recursive=True)
    return sum(p.memory_info().rss for p in found if any(name in p.name() for name in ("chrom", "headless"))) / MIB


def measure(options: Options, directory: Path) -> Result:
    with ExitStack() as stack:
        stack.enter_context(private_network())
        conductor = stack.enter_context(spinning_node(Conductor))
        assert isinstance(conductor, Conductor)
        console = stack.enter_context(open_console(directory, directory / "console.log"))
        length = str(options.seconds + MARGIN_S)
        arguments = [("camera", "--topic", topic, "--seconds", length) for topic in CAMERAS]
        arguments.append(("state", "--seconds", length, "--begin-when", "any-heard"))
        sources = [stack.enter_context(SourceProcess(*one)) for one in arguments]
        for source in sources:
            source.wait_until_ready()
        conductor.begin(0)
        page = stack.enter_context(open_browser()).new_page()
        page.goto(console.address, timeout=PAGE_TIMEOUT_MS)
        page.wait_for_function(
            "count => document.querySelectorAll('tenon-picture[data-shown]').length === count",
            arg=len(CAMERAS),
            timeout=PAGE_TIMEOUT_MS,
        )
        return _sample(options, psutil.Process(console.process.pid), page, sources)


def _sample(options: Options, process: psutil.Process, page: Page, sources: Sequence[SourceProcess]) -> Result:
    page.wait_for_timeout(1000.0 * options.warm_up_s)
    begin_s, cpu = time.monotonic(), sum(process.cpu_times()[:2])
    pictures = PictureCount(shown(page), begin_s)
    browser_first = browser_mib()
    times, rss = [], []
    while (now_s := time.monotonic() - begin_s) < options.seconds - options.warm_up_s:
        times.append(now_s)
        rss.append(process.memory_info().rss / MIB)
        pictures.add(shown(page), time.monotonic())
        page.wait_for_timeout(1000.0 * options.period_s)
    length_s = time.monotonic() - begin_s
    cpu = sum(process.cpu_times()[:2]) - cpu
    browser_last = browser_mib()
    growth_mib, error_mib = line(np.array(times), np.array(rss))
    tenth = max(1, len(rss) // 10)
    return Result(
        seconds=length_s,
        rss_first_mib=float(np.median(rss[:tenth])),
        rss_last_mib=float(np.median(rss[-tenth:])),
        rss_most_mib=max(rss),
        growth_mib=growth_mib,
        error_mib=error_mib,
        cpu_share=cpu / length_s,
        browser_first_mib=browser_first,
        browser_last_mib=browser_last,
        pictures_hz=tuple(count / length_s for count in pictures.totals),
        reloads=pictures.reloads,
        standstill_s=pictures.standstill_s,
        published=sum(sources[0].report().published.values()),
    )


def line(times_s: np.ndarray, rss_mib: np.ndarray) -> tuple[float, float]:
    """Growth in half an hour by least squares, and its standard error."""
    (slope, _), covariance = np.polyfit(times_s, rss_mib, 1, cov=True)
    return float(slope * HALF_HOUR_S), float(np.sqrt(covariance[0, 0]) * HALF_HOUR_S)


def to_markdown(result: Result, load: float) -> str:
    rates = " and ".join(f"{rate:.1f}" for rate in result.pictures_hz)
    rows = (
        ("length after the warm-up", f"{result.seconds:.0f} s", ""),
        ("console, first tenth", f"{result.rss_first_mib:.1f} MiB", ""),
        ("console, last tenth", f"{result.rss_last_mib:.1f} MiB", ""),
        ("console, most", f"{result.rss_most_mib:.1f} MiB", ""),
        (
            "growth in 30 minutes, by the fitted line",
            f"{result.growth_mib:.1f} ± {result.error_mib:.1f} MiB",
            f"<= {BAR_MIB:g} MiB",
        ),
        ("console, of one core", f"{100 * result.cpu_share:.0f} %", ""),
        ("browser, first and last", f"{result.browser_first_mib:.0f} and {result.browser_last_mib:.0f} MiB", ""),
        ("pictures shown per second and camera", rates, ""),
        ("longest time without a new one", f"{result.standstill_s:.0f} s", ""),
        ("reloads of the page", str(result.reloads), ""),
        ("pictures published per camera", str(result.published), ""),
    )
    table = "\n".join(f"| {name} | {value} | {bar} |" for name, value, bar in rows)
    machine = f"{platform.machine()}, {psutil.cpu_count()} cores, load {load:.1f} at the end"
    return f"Measured on {machine}.\n\n| | measured | bar |\n|---|---|---|\n{table}\n"


def main(options: Options) -> int:
    with tempfile.TemporaryDirectory() as directory:
        result = measure(options, Path(directory))
    text = to_markdown(result, psutil.getloadavg()[0])
    sys.stdout.write(text)
    if options.markdown is not None:
        options.markdown.write_text(text)
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(result), indent=2) + "\n")
    return 0 if result.is_flat else 1


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
