"""`tenon collect`: scripted episodes of many connectors, recorded as a session records them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from tenon.cli.console import ERR, note
from tenon.cli.errors import FAILURE, SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from tenon.data.domains import Split
    from tenon.data.episodes import TopicSpec
    from tenon.environments.collection import CollectionConfig, DomainPlan
    from tenon.environments.collection_processes import CollectionObserver


@dataclass(frozen=True)
class Collect:
    """Collect data of a family of connectors: a scripted strategy with noise, episode by episode, in OUT/CONNECTOR.

    Killed and started again with the same arguments it goes on where it was; finished episodes are kept. The same seed
    gives the same episodes. `tenon dataset info OUT` shows the balance.
    """

    out: Path
    """Folder of the data: domains.json and a folder of episodes per connector."""
    family: str = "fifty"
    """Name of a file in config/families."""
    split: Literal["train", "held-out", "all"] = "all"
    """Which series of the family."""
    connector: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Only these connectors of the family (by name); several times for several."""
    train_per_series: int | None = None
    """So many connectors of each series to train on, drawn as the family draws them. Default: the family's numbers."""
    episodes_per_connector: int = 20
    """Half of them start near the socket, half far from it; half start with the plug in it."""
    jobs: int | None = None
    """Processes side by side. Default: as many as there are cores."""
    seed: int = 0
    """Of all that is random."""
    arm: Annotated[str, tyro.conf.arg(aliases=["--robot"])] = "ur5"
    """Arm that is simulated: a file in config/arms."""

    def run(self) -> int:
        self._check()
        from tenon.data.mapped_array import StorageError
        from tenon.environments.collection import CollectionConfig, load_collection
        from tenon.environments.collection_processes import Collection, collect

        config = CollectionConfig(robot=self.arm, episodes=self.episodes_per_connector, seed=self.seed)
        plans = self._plans()
        collection = Collection(self.out, load_collection(config, recorded_topics()))
        jobs = self.jobs or len(os.sched_getaffinity(0))
        with CollectionProgress(plans, config) as progress:
            try:
                collect(collection, plans, min(jobs, len(plans)), progress.observer)
            except StorageError as error:
                raise CommandError(str(error)) from error
        if progress.failed:
            failed = ", ".join(progress.failed)
            note(f"{len(progress.failed)} connectors are not complete: {failed}. Start again to go on")
            return FAILURE
        note(f"{self.out}: {len(plans)} connectors, {progress.cpu_s / 60:.1f} CPU minutes")
        return SUCCESS

    def _check(self) -> None:
        for option, value in (
            ("episodes-per-connector", self.episodes_per_connector),
            ("train-per-series", self.train_per_series),
            ("jobs", self.jobs),
        ):
            if value is not None and value < 1:
                raise UsageError(f"--{option} {value}: 1 or more are needed")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed}: 0 or more is needed")

    def _plans(self) -> list[DomainPlan]:
        """The connectors to collect, the series taking turns. Raises UsageError for a name that is not among them."""
        from tenon.configuration.resolve import nearest
        from tenon.environments.family_plans import family_plans

        wanted: Split | None = None if self.split == "all" else self.split
        plans = family_plans(self.family, wanted, train_per_series=self.train_per_series)
        known = [plan.name for plan in plans]
        unknown = sorted(set(self.connector) - set(known))
        if unknown:
            asked = ", ".join(f"{name}{nearest(name, known)}" for name in unknown)
            raise UsageError(f"--connector: not among the {len(known)} connectors of --split {self.split}: {asked}")
        return [plan for plan in plans if not self.connector or plan.name in self.connector]


class CollectionProgress:
    """A context manager: one bar over all episodes, where stderr is a terminal; failures are told at once."""

    def __init__(self, plans: Sequence[DomainPlan], config: CollectionConfig) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from tenon.environments.collection_processes import CollectionObserver

        self.failed: list[str] = []
        self.cpu_s = 0.0
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = progress = Progress(*columns, console=ERR, disable=not ERR.is_terminal)
        bar = progress.add_task("episodes", total=len(plans) * config.episodes)
        owner = self

        class Observer(CollectionObserver):
            def on_episode(self, plan: DomainPlan, episode: int) -> None:
                progress.update(bar, advance=1, description=plan.name)

            def on_done(self, plan: DomainPlan, cpu_s: float) -> None:
                owner.cpu_s += cpu_s
                note(f"done: {plan.name} ({cpu_s:.0f} s of CPU)")

            def on_failed(self, plan: DomainPlan, reason: str) -> None:
                owner.failed.append(plan.name)
                ERR.print("[bold red]failed:[/] ", end="")
                ERR.print(f"{plan.name}: {reason}", markup=False, soft_wrap=True)

        self.observer: CollectionObserver = Observer()

    def __enter__(self) -> CollectionProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def recorded_topics() -> tuple[TopicSpec, ...]:
    """What a collection records of the session's topics."""
    from tenon_graph import contract
    from tenon_graph.interfaces import topic_spec

    return tuple(topic_spec(topic, f"/{topic.name}") for topic in (contract.TRANSITION, contract.EPISODE_SUMMARY))
