#!/usr/bin/env python3
# ruff: noqa: T201, UP031
"""Calibrates the gripper, closes it on what lies between its fingers, and opens it again."""

import intera_interface
import rospy


def settle(gripper):
    rospy.sleep(0.3)
    while gripper.is_moving() and not rospy.is_shutdown():
        rospy.sleep(0.05)


def main():
    rospy.init_node("gripper_demo")
    gripper = intera_interface.Gripper("right_gripper", calibrate=False)
    if not gripper.is_calibrated():
        gripper.calibrate()
    gripper.set_velocity(0.15)
    gripper.set_holding_force(8.0)
    gripper.close()
    settle(gripper)
    print(
        "closed at %.1f mm, gripping: %s, %.1f N"
        % (1000 * gripper.get_position(), gripper.is_gripping(), gripper.get_force())
    )
    gripper.open()
    settle(gripper)
    print(
        "open at %.1f mm, gripping: %s, ready: %s"
        % (1000 * gripper.get_position(), gripper.is_gripping(), gripper.is_ready())
    )


if __name__ == "__main__":
    main()
