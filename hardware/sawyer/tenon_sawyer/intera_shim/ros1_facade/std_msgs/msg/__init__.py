"""The messages of std_msgs that a Sawyer speaks."""

from tenon_sawyer.ros1.definitions import export

export("std_msgs", globals())
