"""An experiment that takes no time, for tests of what runs experiments. Spawned workers import it by this name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from tenon.configuration import Config, ConfigurationError
from tenon.experiments.experiment import Experiment, ExperimentError, Job, JobContext
from tenon.experiments.results import Condition, Results, Row, at_least

STEPS = (10, 20)


class ToySize(Config):
    """value: what every run measures, plus its seed. marks: a folder in which each run leaves a file."""

    value: float = 1.0
    methods: tuple[str, ...] = ("good",)
    marks: str = ""


class Toy(Experiment[ToySize]):
    """Methods: good; raises; refuses (an error with a remedy); dies; nan; interrupted (raises until it has a curve)."""

    name: ClassVar[str] = "toy"
    shows: ClassVar[str] = "nothing"
    source: ClassVar[str] = "-"

    @classmethod
    def small(cls) -> Toy:
        return cls(ToySize())

    @classmethod
    def full(cls) -> Toy:
        raise ExperimentError("toys have one size")

    def jobs(self, seeds: int) -> list[Job]:
        return [Job(method, "here", seed, 1.0) for seed in range(seeds) for method in self.size.methods]

    def run(self, context: JobContext) -> list[Row]:
        job = context.job
        if self.size.marks:
            (Path(self.size.marks) / f"{job.key}-{len(context.points)}").touch()
        if job.method == "raises":
            raise KeyError("a bug")
        if job.method == "refuses":
            raise ConfigurationError("the socket is closed: open it")
        if job.method == "dies":
            os._exit(3)
        if job.method == "nan":
            return context.rows(success=float("nan"))
        for step in STEPS:
            if not context.has_recorded(step):
                context.record(step, success=step / 100)
                if job.method == "interrupted":
                    raise InterruptedError("in the middle")
            context.progress(step / STEPS[-1])
        return context.rows(success=self.size.value + job.seed, nothing=None)

    def bar(self, results: Results) -> list[Condition]:
        return [at_least("success of good", results.mean("good", "here", "success"), 1.5)]
