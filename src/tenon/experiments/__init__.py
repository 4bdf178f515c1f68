"""Reproductions: what the papers showed, shown again, each with a bar that it passes or misses."""
