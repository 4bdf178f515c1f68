"""An arm in Gazebo behind the topics of a real one."""
