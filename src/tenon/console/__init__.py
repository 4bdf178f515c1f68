"""The operator's web console, but for its wires: what it shows, what it asks of the robot, its pages."""
