"""Universal Robots' UR5 through ur-rtde, and an emulator that speaks its controller's protocols."""
