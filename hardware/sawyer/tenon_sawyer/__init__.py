"""The Rethink Sawyer: driver, node and emulator over the robot's ROS 1 topics."""
