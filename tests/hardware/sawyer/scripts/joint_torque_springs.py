#!/usr/bin/env python3
# ruff: noqa: T201, UP031
"""Holds the arm with virtual springs in its joints: push it, and it comes back."""

import intera_interface
import rospy
from intera_interface import CHECK_VERSION

STIFFNESS = {"j0": 200.0, "j1": 200.0, "j2": 120.0, "j3": 120.0, "j4": 40.0, "j5": 40.0, "j6": 20.0}
DAMPING = {"j0": 20.0, "j1": 20.0, "j2": 12.0, "j3": 12.0, "j4": 3.0, "j5": 3.0, "j6": 2.0}
SECONDS = 2.0


class JointSprings:
    def __init__(self):
        self._limb = intera_interface.Limb("right")
        self._robot = intera_interface.RobotEnable(CHECK_VERSION)
        self._robot.enable()
        self._missed = 0

    def attach(self):
        rate = rospy.Rate(200)
        start = self._limb.joint_angles()
        self._limb.set_command_timeout(0.5)
        end = rospy.Time.now() + rospy.Duration(SECONDS)
        while not rospy.is_shutdown() and rospy.Time.now() < end:
            if not self._robot.state().enabled:
                rospy.logerr("the robot was disabled")
                break
            angles, speeds = self._limb.joint_angles(), self._limb.joint_velocities()
            torques = {}
            for name in self._limb.joint_names():
                short = name[-2:]
                torques[name] = STIFFNESS[short] * (start[name] - angles[name]) - DAMPING[short] * speeds[name]
            self._limb.set_joint_torques(torques)
            rate.sleep()
        return max(abs(self._limb.joint_angle(name) - angle) for name, angle in start.items())

    def clean_shutdown(self):
        self._limb.exit_control_mode()
        print("exited torque mode")


def main():
    rospy.init_node("joint_torque_springs")
    springs = JointSprings()
    rospy.on_shutdown(springs.clean_shutdown)
    print("largest error: %.4f rad" % springs.attach())
    rospy.signal_shutdown("done")


if __name__ == "__main__":
    main()
