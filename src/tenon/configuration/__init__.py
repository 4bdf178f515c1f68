"""Configuration: strict YAML, checked by pydantic."""

from tenon.configuration.base import (
    Config,
    ConfigurationError,
    differences,
    differing_leaves,
    load,
    load_yaml,
    parse,
)

__all__ = ["Config", "ConfigurationError", "differences", "differing_leaves", "load", "load_yaml", "parse"]
