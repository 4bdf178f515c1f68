"""Datasets of recorded episodes: checking, splitting, merging and cutting them. Nothing is changed in place."""
