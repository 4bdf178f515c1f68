#!/usr/bin/env python3
# ruff: noqa: T201, UP031
"""Turns the head, reads the joints' limits, and turns one joint in velocity mode."""

import intera_interface
import rospy


def main():
    rospy.init_node("head_and_limits")
    head = intera_interface.Head()
    head.set_pan(0.5, speed=1.0, timeout=10.0)
    print("head at %.1f rad, %s" % (head.pan(), head.pan_mode()))
    limits = intera_interface.JointLimits()
    print("right_j3: %.2f to %.2f rad" % (limits.joint_lower_limit("right_j3"), limits.joint_upper_limit("right_j3")))
    limb = intera_interface.Limb("right")
    start = limb.joint_angle("right_j6")
    rate = rospy.Rate(50)
    for _ in range(25):
        limb.set_joint_velocities({"right_j6": 0.4})
        rate.sleep()
    limb.exit_control_mode()
    print("right_j6 turned by %.2f rad" % (limb.joint_angle("right_j6") - start))
    print("collided: %s" % limb.has_collided())


if __name__ == "__main__":
    main()
