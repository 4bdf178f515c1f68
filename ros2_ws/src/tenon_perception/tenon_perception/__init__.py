"""Cameras and the observation."""
