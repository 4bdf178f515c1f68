"""Cameras that the operating system offers as video devices, and recorded videos in their place."""
