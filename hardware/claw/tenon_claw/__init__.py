"""The claw: fingers of Dynamixel servos over a valve with a servo of its own, on one serial bus."""
