"""The messages of sensor_msgs that a Sawyer speaks."""

from tenon_sawyer.ros1.definitions import export

export("sensor_msgs", globals())
