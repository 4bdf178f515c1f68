"""The web console's node: topics in, services out."""
