"""The messages of intera_core_msgs that a Sawyer speaks."""

from tenon_sawyer.ros1.definitions import export

export("intera_core_msgs", globals())
