"""The services of intera_core_msgs."""

from tenon_sawyer.ros1.definitions import export

export("intera_core_msgs", globals(), services=True)
