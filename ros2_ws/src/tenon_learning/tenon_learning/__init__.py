"""Policy, reward and trainer."""
