"""`tenon train daib`: a reward classifier of the connectors in a folder of data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenon.cli.assignments import assign
from tenon.cli.console import OUT, note, write_json
from tenon.cli.errors import SUCCESS, CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenon.data.domains import LabelledImages
    from tenon.rewards.daib import ClassifierConfig, ConnectorAudit, RewardClassifier
    from tenon.rewards.daib.training import TrainingMetrics

NAME = "daib"
AUDIT_FILE = "audit.json"
_TOLD_EVERY = 500


def train_reward(
    out: Path, data: str | None, *, variant: str | None, config: str | None, assignments: Sequence[str], seed: int
) -> int:
    """Trains on the split "train" of ``data``; writes the classifier and, where there are held-out ones, its audit."""
    from tenon.data.checkpoint import CheckpointError
    from tenon.rewards.daib import train_classifier

    if data is None:
        raise UsageError("--data DATA is needed: a folder that `tenon collect` has filled")
    if out.exists():
        raise UsageError(f"--out {out}: is there already; a classifier is never written over: name another folder")
    chosen = _configured(variant, config, assignments)
    pictures = load_pictures(Path(data))
    classifier = train_classifier(pictures, chosen, seed, on_metrics=_tell)
    try:
        classifier.save(out)
    except CheckpointError as error:
        raise CommandError(str(error)) from error
    calibration = classifier.calibration
    note(
        f"{out}: version {classifier.version}, temperature {calibration.temperature:.2f}, p_on "
        f"{calibration.threshold:.4f}: false positives {calibration.false_positive_rate:.2%} at a recall of "
        f"{calibration.recall:.1%} on series {', '.join(calibration.series)}"
    )
    held_out = names_of(pictures, "held-out")
    if held_out:
        write_json(out / AUDIT_FILE, show_audit(classifier, pictures, held_out, f"{out}: held-out connectors"))
    return SUCCESS


def load_pictures(folder: Path) -> LabelledImages:
    """Raises CommandError for data that cannot be used."""
    from tenon.data.domains import labelled_images
    from tenon.data.episodes import EpisodeError
    from tenon.data.mapped_array import StorageError

    try:
        return labelled_images(folder)
    except (StorageError, EpisodeError) as error:
        raise CommandError(str(error)) from error


def names_of(data: LabelledImages, split: str) -> list[str]:
    """The connectors of one side of the split, or of both with ``all``."""
    return [name for name, own in zip(data.names, data.splits, strict=True) if split in ("all", own)]


def show_audit(classifier: RewardClassifier, data: LabelledImages, names: Sequence[str], title: str) -> dict[str, Any]:
    """Prints one line per connector and their mean; returns the same for a file."""
    from rich.table import Table

    from tenon.rewards.daib import audit, mean_audit

    audits = audit(classifier, data, names)
    mean = mean_audit(audits)
    table = Table(title=title, title_justify="left")
    for column in ("connector", "series", "accuracy", "recall", "false positives", "at 90 % recall", "false episodes"):
        table.add_column(column)
    for entry in (*audits, mean):
        table.add_row(entry.name, entry.series, *_shares(entry))
    OUT.print(table)
    return {
        "version": classifier.version,
        "mean": asdict(mean),
        "connectors": [asdict(entry) for entry in audits],
    }


def _shares(entry: ConnectorAudit) -> list[str]:
    values = (
        entry.accuracy,
        entry.recall,
        entry.false_positive_rate,
        entry.false_positives_at_recall,
        entry.false_episodes,
    )
    return [f"{value:.3f}" for value in values]


def _configured(variant: str | None, config: str | None, assignments: Sequence[str]) -> ClassifierConfig:
    from tenon.configuration import load_yaml, parse
    from tenon.configuration.resolve import ConfigKind, resolve
    from tenon.rewards.daib import ClassifierConfig

    path = resolve(ConfigKind.REWARDS, config or NAME)
    data = load_yaml(path)
    if variant is not None:
        data["variant"] = variant
    for assignment in assignments:
        assign(data, assignment)
    return parse(ClassifierConfig, data, where=f"{path} with --variant and --set")


def _tell(network: int, metrics: TrainingMetrics) -> None:
    if metrics.step % _TOLD_EVERY == 0:
        note(
            f"network {network}, step {metrics.step}: loss {metrics.reward_loss:.3f}, accuracy {metrics.accuracy:.3f}, "
            f"domain head {metrics.domain_loss:.2f} nats, z_S {metrics.rate:.1f} nats"
        )
