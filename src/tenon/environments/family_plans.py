"""Which connectors of a family are collected, and what is known of each as a domain."""

from __future__ import annotations

import itertools
from collections import defaultdict

from tenon.configuration.resolve import ConfigKind, load_named
from tenon.data.domains import Domain, Split
from tenon.environments.collection import DomainPlan
from tenon.simulation.connectors import ConnectorConfig
from tenon.simulation.family import FamilyConfig, generate
from tenon.simulation.looks import SurroundingsConfig


def family_plans(family: str, split: Split | None = None) -> list[DomainPlan]:
    """The stored connectors of a family, the series taking turns, so that the first few are of many kinds.

    Raises ConfigurationError for an unknown family or a connector that is not stored.
    """
    config = load_named(FamilyConfig, ConfigKind.FAMILIES, family)
    by_series: dict[str, list[DomainPlan]] = defaultdict(list)
    for drawn in generate(config):
        connector = load_named(ConnectorConfig, ConfigKind.CONNECTORS, f"{config.name}/{drawn.name}")
        domain = domain_of(connector, config)
        if split in (None, domain.split):
            by_series[domain.series].append(DomainPlan(drawn.name, connector, domain))
    turns = itertools.zip_longest(*by_series.values())
    return [plan for turn in turns for plan in turn if plan is not None]


def domain_of(connector: ConnectorConfig, family: FamilyConfig) -> Domain:
    """A connector without a series is one of its own."""
    series = connector.series or connector.name
    surroundings = connector.surroundings or SurroundingsConfig()
    held_out = series in family.held_out_series
    return Domain(series=series, mount=surroundings.camera_mount, split="held-out" if held_out else "train")
