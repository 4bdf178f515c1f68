"""Session manager and recorder."""
