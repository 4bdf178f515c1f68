"""The tables of chapter 9 (Schoettler et al., 2020), to stand beside our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tenon.experiments.report import table
from tenon.experiments.results import Results

Paper = str | tuple[str, str, str]
"""A row: the name of a controller, or (kind, learner, reward); the learner is "" where the paper does not say it."""


@dataclass(frozen=True, slots=True)
class Percent:
    """Success over 25 executions, in percent, with a perfect goal and with one that is off by up to 1 mm."""

    perfect: int
    noisy: int


USB, DSUB, MODEL_E = "USB", "D-Sub", "Model-E"
CONNECTORS: Mapping[str, str] = {
    **{"easy": USB, "medium": DSUB, "hard": MODEL_E},
    **{"usb": USB, "dsub": DSUB, "model_e": MODEL_E},
}
"""Which connector of the paper a socket stands for: of the flying peg, and of the arm."""

_RESULTS: Mapping[Paper, Mapping[str, Percent]] = {
    ("pure", "", "dense"): {USB: Percent(28, 20), DSUB: Percent(16, 0), MODEL_E: Percent(0, 0)},
    ("pure", "SAC", "sparse"): {USB: Percent(16, 8)},
    ("pure", "TD3", "sparse"): {USB: Percent(44, 28)},
    ("pure", "SAC", "image"): {USB: Percent(36, 32), DSUB: Percent(0, 0), MODEL_E: Percent(0, 0)},
    ("pure", "TD3", "image"): {USB: Percent(28, 28), DSUB: Percent(12, 12), MODEL_E: Percent(0, 0)},
    ("LfD", "", "sparse"): {USB: Percent(100, 32)},
    ("LfD", "", "image"): {USB: Percent(88, 60), DSUB: Percent(52, 52), MODEL_E: Percent(20, 20)},
    ("residual", "", "dense"): {USB: Percent(100, 84), DSUB: Percent(100, 60), MODEL_E: Percent(100, 76)},
    ("residual", "SAC", "sparse"): {USB: Percent(88, 84)},
    ("residual", "TD3", "sparse"): {USB: Percent(100, 36)},
    ("residual", "SAC", "image"): {USB: Percent(100, 80), DSUB: Percent(100, 64), MODEL_E: Percent(100, 76)},
    ("residual", "TD3", "image"): {USB: Percent(0, 0), DSUB: Percent(52, 52), MODEL_E: Percent(0, 0)},
    "P": {USB: Percent(100, 60), DSUB: Percent(100, 44), MODEL_E: Percent(52, 24)},
}


def paper_table(
    results: Results, methods: Sequence[str], sockets: Sequence[str], row_of: Callable[[str], Paper]
) -> str:
    """Ours and the paper's side by side, each as perfect / noisy; "-" where there is none."""
    known = [socket for socket in sockets if socket in CONNECTORS]
    columns = ["success in %, perfect / noisy goal"]
    for socket in known:
        columns += [socket, f"paper, {CONNECTORS[socket]}"]
    lines = []
    for method in methods:
        line = [method]
        for socket in known:
            line += [_ours(results, method, socket), _theirs(row_of(method), socket)]
        lines.append(line)
    return table(columns, lines)


def _ours(results: Results, method: str, socket: str) -> str:
    perfect = results.mean(method, socket, "success_perfect")
    noisy = results.mean(method, socket, "success_noisy")
    return "-" if perfect is None or noisy is None else f"{100 * perfect:.0f} / {100 * noisy:.0f}"


def _theirs(row: Paper, socket: str) -> str:
    percent = _RESULTS.get(row, {}).get(CONNECTORS[socket])
    return "-" if percent is None else f"{percent.perfect} / {percent.noisy}"
