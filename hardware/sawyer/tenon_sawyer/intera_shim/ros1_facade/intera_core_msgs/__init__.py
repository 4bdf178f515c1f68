"""Messages of ROS 1 for scripts, where no ROS 1 is installed."""
