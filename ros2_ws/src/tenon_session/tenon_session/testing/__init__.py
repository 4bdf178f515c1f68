"""The graph of a session under test: on a network of its own, watched, disturbed. For tests and benchmarks."""
