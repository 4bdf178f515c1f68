"""Where rclpy keeps its logging implementation."""
