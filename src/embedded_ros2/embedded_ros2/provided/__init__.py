"""What the import finder provides under the names of a real ROS 2."""
