"""A person drives the arm: devices, what their axes and buttons mean, and the references that come of it."""
