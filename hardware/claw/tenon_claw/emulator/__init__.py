"""A bus of servos on a pseudo-terminal that the vendor's own client library talks to, with MuJoCo behind it."""
