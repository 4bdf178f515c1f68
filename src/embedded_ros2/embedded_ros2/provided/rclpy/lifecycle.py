"""Left out of the embedded rclpy: importing it says so."""

from ._unsupported import UnsupportedModule

raise UnsupportedModule("the module rclpy.lifecycle")
