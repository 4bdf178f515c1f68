"""The same jobs on Ray: on the cluster that ``RAY_ADDRESS`` names, else on this machine.

Workers share no disk with the one who asked: results travel back as JSON and are stored here. A job that is interrupted
starts anew. Folders that an experiment keeps stay where the job ran, and it is told where that is.
"""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tenon.data.mapped_array import write_beside
from tenon.experiments.experiment import ExperimentError, Job, JobResult
from tenon.experiments.runner import AnyExperiment, RunObserver, perform, reason_of, store, work_directory

INSTALL = "pip install -e '.[cluster]'"
KEPT = "kept.txt"
"""In a job's own folder: on which machine, and where there, its worker's stays."""


class RayCluster:
    """One core per job; as many at a time as the cluster has cores, at most ``count`` where it is given."""

    def __init__(self, count: int | None = None) -> None:
        self._ray = _import_ray()
        self._count = count

    def run(self, experiment: AnyExperiment, jobs: Sequence[Job], out: Path, observer: RunObserver) -> None:
        """Starts Ray where it does not run, and ends it if it did so."""
        ray = self._ray
        own = not ray.is_initialized()
        if own:
            ray.init(num_cpus=self._count, include_dashboard=False, log_to_driver=False)
        try:
            remote = ray.remote(num_cpus=1, max_retries=0)(_remote)
            running = {remote.remote(experiment, job): job for job in jobs}
            for job in jobs:
                observer.on_start(job)
            while running:
                done, _ = ray.wait(list(running))
                for reference in done:
                    self._take(experiment, reference, running.pop(reference), out, observer)
        finally:
            if own:
                ray.shutdown()

    def _take(self, experiment: AnyExperiment, reference: Any, job: Job, out: Path, observer: RunObserver) -> None:
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            observer.on_failed(job, f"its worker was lost: {error}")
            return
        if "error" in answer:
            observer.on_failed(job, answer["error"])
            return
        result = JobResult.from_json(answer["result"])
        store(experiment, out, result)
        if "kept" in answer:
            folder = work_directory(out, job)
            folder.mkdir(parents=True, exist_ok=True)
            write_beside(folder / KEPT, (answer["kept"] + "\n").encode())
            observer.on_kept(job, answer["kept"])
        observer.on_done(result)


def _remote(experiment: AnyExperiment, job: Job) -> dict[str, Any]:
    directory, kept = Path(tempfile.mkdtemp(prefix="tenon-job-")), False
    try:
        result = json.loads(json.dumps(perform(experiment, job, directory).to_json()))
        kept = experiment.keeps_work
    except Exception as error:
        return {"error": reason_of(error)}
    finally:
        if not kept:
            shutil.rmtree(directory, ignore_errors=True)
    return {"result": result, "kept": f"{platform.node()}:{directory}"} if kept else {"result": result}


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ExperimentError(f"--cluster needs Ray, which is not installed ({error}): {INSTALL}") from error
    return ray
