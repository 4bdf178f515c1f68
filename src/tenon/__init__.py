"""Tenon: a ROS 2 robot-learning stack for real manipulators."""
