"""Which connectors of a family are collected, and what is known of each as a domain."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Container

from tenon.configuration.resolve import ConfigKind, load_named
from tenon.data.domains import Domain, Split
from tenon.environments.collection import DomainPlan
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.family import FamilyConfig, generate
from tenon.simulation.looks import SurroundingsConfig


def family_plans(family: str, split: Split | None = None, *, train_per_series: int | None = None) -> list[DomainPlan]:
    """The connectors of a family, the series taking turns, so that the first few are of many kinds.

    train_per_series: how many of each series to train on, instead of the family's own numbers. The first of a series
    are the same whatever their number; those that the family stores are taken from their files, for these are what a
    session gets and may have been changed. Raises ConfigurationError for an unknown family.
    """
    config = load_named(FamilyConfig, ConfigKind.FAMILIES, family)
    stored = {drawn.name for drawn in generate(config)}
    by_series: dict[str, list[DomainPlan]] = defaultdict(list)
    for drawn in generate(config if train_per_series is None else _with_more(config, train_per_series)):
        connector = _as_stored(drawn, config, stored)
        domain = domain_of(connector, config)
        if split in (None, domain.split):
            by_series[domain.series].append(DomainPlan(drawn.name, connector, domain))
    turns = itertools.zip_longest(*by_series.values())
    return [plan for turn in turns for plan in turn if plan is not None]


def _with_more(config: FamilyConfig, count: int) -> FamilyConfig:
    series = [one if one.held_out else one.model_copy(update={"count": count}) for one in config.series]
    return config.model_copy(update={"series": tuple(series)})


def _as_stored(drawn: ConnectorConfig, family: FamilyConfig, stored: Container[str]) -> ConnectorConfig:
    if drawn.name not in stored:
        return drawn
    return load_named(ConnectorConfig, ConfigKind.CONNECTORS, f"{family.name}/{drawn.name}")


def domain_of(connector: ConnectorConfig, family: FamilyConfig) -> Domain:
    """A connector without a series is one of its own."""
    series = connector.series or connector.name
    surroundings = connector.surroundings or SurroundingsConfig()
    held_out = series in family.held_out_series
    return Domain(series=series, mount=surroundings.camera_mount, split="held-out" if held_out else "train")
