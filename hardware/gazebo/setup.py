"""colcon builds this package by its setup.cfg."""

from setuptools import setup

setup()
