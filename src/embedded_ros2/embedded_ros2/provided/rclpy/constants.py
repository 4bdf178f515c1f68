"""Conversions between seconds and nanoseconds."""

S_TO_NS = 1000 * 1000 * 1000
