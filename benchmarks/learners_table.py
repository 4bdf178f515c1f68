"""What the learners benchmark found, for a reader: tables, ratios, bars."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from learners_data import COMPILED, OWN, Case
from rich.console import Console
from rich.table import Table

WIDTH = 150
MS_PER_S = 1e3
NAMES = {OWN: "Tenon", COMPILED: "Tenon, compiled", "sb3": "Stable-Baselines3", "sbx": "SBX", "d3rlpy": "d3rlpy"}
UPDATES_OVER_SB3, UPDATES_OVER_FASTEST, IMAGES_OVER_FASTEST, REPLAY_OVER_FRAMES = 1.3, 1.0, 3.0, 1.05
HEAD = """# The learners

Written by `python benchmarks/learners.py --markdown docs/results/learners.md`; `benchmarks/README.md` says what is
timed. Rates are medians over the rounds, with the lowest and highest round; ratios are of medians. One core each.
"""
COLUMNS = ("library", "updates/s", "rounds", "CPU ms an update", "Tenon is", "batches/s", "rounds", "Tenon is")


@dataclass(slots=True)
class Measured:
    """One library on one case. missing: why there is nothing. Rates per second, one for each round."""

    case: Case
    library: str
    missing: str | None
    versions: dict[str, str]
    replay_bytes: int | None
    rates: dict[str, list[float]] = field(default_factory=lambda: {"update": [], "sample": []})
    cpu_s: dict[str, list[float]] = field(default_factory=lambda: {"update": [], "sample": []})

    @classmethod
    def of(cls, case: Case, library: str, standing: Mapping[str, Any]) -> Measured:
        """standing: the first answer of the library's process."""
        return cls(
            case,
            library,
            missing=standing.get("missing"),
            versions=standing.get("versions", {}),
            replay_bytes=standing.get("replay_bytes"),
        )

    def add(self, what: str, measured: Mapping[str, float]) -> None:
        self.rates[what].append(measured["count"] / measured["wall_s"])
        self.cpu_s[what].append(measured["cpu_s"] / measured["count"])

    def rate(self, what: str) -> float | None:
        """The median over the rounds."""
        return statistics.median(self.rates[what]) if self.rates[what] else None

    @classmethod
    def from_json(cls, case: Case, entry: Mapping[str, Any]) -> Measured:
        """What ``to_json`` made of a measurement of ``case``."""
        return cls(
            case,
            entry["library"],
            missing=entry["missing"],
            versions=entry["versions"],
            replay_bytes=entry["replay_bytes"],
            rates=entry["per_second"],
            cpu_s=entry["cpu_s_each"],
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "case": self.case.name,
            "batch_size": self.case.batch_size,
            "transitions": self.case.transitions,
            "library": self.library,
            "missing": self.missing,
            "versions": self.versions,
            "replay_bytes": self.replay_bytes,
            "frames_bytes": self.case.frames_bytes if self.case.observation == "image" else None,
            "per_second": self.rates,
            "cpu_s_each": self.cpu_s,
        }


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure that has to reach another. at_most: it must not be above it instead."""

    name: str
    value: float
    needed: float
    at_most: bool = False

    @property
    def passed(self) -> bool:
        return self.value <= self.needed if self.at_most else self.value >= self.needed

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        return f"{'pass' if self.passed else 'MISS'}  {self.name}: {self.value:.2f} ({sign} {self.needed:g} is needed)"


def bars(results: Iterable[Measured]) -> list[Bar]:
    """The bars that can be told from what was measured."""
    found = []
    for case, by_library in _by_case(results).items():
        own = by_library[OWN]
        peers = [measured for library, measured in by_library.items() if library not in (OWN, COMPILED)]
        if case.observation == "state":
            sb3 = by_library.get("sb3")
            if sb3 is not None and sb3.rates["update"]:
                found.append(Bar(f"{case.name}, updates over sb3", _ratio(own, sb3, "update"), UPDATES_OVER_SB3))
            ours = _fastest((by_library[name] for name in (OWN, COMPILED) if name in by_library), "update")
            if ours is not None and (fastest := _fastest(peers, "update")):
                name = f"{case.name}, updates of {NAMES[ours.library]} over the fastest ({fastest.library})"
                found.append(Bar(name, _ratio(ours, fastest, "update"), UPDATES_OVER_FASTEST))
            continue
        if fastest := _fastest(peers, "sample"):
            name = f"{case.name}, sampling over the fastest ({fastest.library})"
            found.append(Bar(name, _ratio(own, fastest, "sample"), IMAGES_OVER_FASTEST))
        if own.replay_bytes is not None:
            share = own.replay_bytes / case.frames_bytes
            found.append(Bar(f"{case.name}, replay over one copy", share, REPLAY_OVER_FRAMES, at_most=True))
    return found


def write_tables(results: Iterable[Measured], stream: TextIO) -> None:
    """One table for each case, for a terminal."""
    console = Console(file=stream, width=WIDTH)
    for case, by_library in _by_case(results).items():
        table = Table(*COLUMNS, title=_title(case), title_justify="left")
        for cells in _rows(by_library):
            table.add_row(*cells)
        console.print(table)


def to_markdown(results: list[Measured], machine: Mapping[str, Any], rounds: int, seconds: float) -> str:
    """The page of docs/results."""
    load = ", ".join(f"{value:.1f}" for value in machine["load_before"])
    parts = [
        HEAD,
        f"{rounds} rounds of {seconds:g} s for each figure; {machine['cores']} cores, device {machine['device']}, "
        f"Python {machine['python']}, load before: {load}. {_versions(results)}",
        "",
        "| bar | value | needed | |",
        "|---|---|---|---|",
        *(
            f"| {bar.name} | {bar.value:.2f} | {'<=' if bar.at_most else '>='} {bar.needed:g} | "
            f"{'pass' if bar.passed else '**missed**'} |"
            for bar in bars(results)
        ),
        "",
    ]
    for case, by_library in _by_case(results).items():
        parts += [f"## {_title(case)}", "", _line(COLUMNS), _line(["---"] * len(COLUMNS))]
        parts += [*(_line(cells) for cells in _rows(by_library)), ""]
        if case.observation == "image":
            parts += [_memory(case, by_library), ""]
    return "\n".join(parts)


def _by_case(results: Iterable[Measured]) -> dict[Case, dict[str, Measured]]:
    found: dict[Case, dict[str, Measured]] = {}
    for measured in results:
        found.setdefault(measured.case, {})[measured.library] = measured
    return found


def _rows(by_library: Mapping[str, Measured]) -> list[list[str]]:
    own = by_library[OWN]
    rows = []
    for library, measured in by_library.items():
        if measured.missing is not None:
            rows.append([NAMES[library], f"- ({measured.missing})", *["-"] * (len(COLUMNS) - 2)])
            continue
        cpu_ms = statistics.median(measured.cpu_s["update"]) * MS_PER_S
        ratios = ["", ""] if measured is own else [f"{_ratio(own, measured, w):.2f} x" for w in ("update", "sample")]
        update, sample = ([_rate(measured, what), _spread(measured, what)] for what in ("update", "sample"))
        rows.append([NAMES[library], *update, f"{cpu_ms:.2f}", ratios[0], *sample, ratios[1]])
    return rows


def _rate(measured: Measured, what: str) -> str:
    return f"{measured.rate(what) or 0.0:.4g}"


def _spread(measured: Measured, what: str) -> str:
    return f"{min(measured.rates[what]):.4g} to {max(measured.rates[what]):.4g}"


def _ratio(own: Measured, other: Measured, what: str) -> float:
    mine, theirs = own.rate(what), other.rate(what)
    assert mine is not None and theirs is not None
    return mine / theirs


def _fastest(measured: Iterable[Measured], what: str) -> Measured | None:
    present = [one for one in measured if one.rates[what]]
    return max(present, key=lambda one: one.rate(what) or 0.0, default=None)


def _title(case: Case) -> str:
    return f"{case.name}, batches of {case.batch_size}, {case.transitions} transitions"


def _memory(case: Case, by_library: Mapping[str, Measured]) -> str:
    sizes = ", ".join(
        f"{NAMES[library]} {measured.replay_bytes / case.frames_bytes:.2f} x"
        for library, measured in by_library.items()
        if measured.replay_bytes is not None
    )
    return f"Memory of the filled replay, in copies of the frames ({case.frames_bytes / 1e6:.0f} MB): {sizes}."


def _versions(results: Iterable[Measured]) -> str:
    found: dict[str, str] = {}
    for measured in results:
        found |= {name: version for name, version in measured.versions.items() if name != "python"}
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
