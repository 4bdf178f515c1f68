"""The messages of geometry_msgs that a Sawyer speaks."""

from tenon_sawyer.ros1.definitions import export

export("geometry_msgs", globals())
