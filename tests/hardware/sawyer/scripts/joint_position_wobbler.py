#!/usr/bin/env python3
# ruff: noqa: T201, UP031
"""Moves the wrist to and fro in position mode, then back to where it was."""

import argparse
import math

import intera_interface
import rospy
from intera_interface import CHECK_VERSION


class Wobbler:
    def __init__(self, limb_name):
        self._limb = intera_interface.Limb(limb_name)
        self._robot = intera_interface.RobotEnable(CHECK_VERSION)
        self._was_enabled = self._robot.state().enabled
        self._robot.enable()
        self._start = self._limb.joint_angles()

    def clean_shutdown(self):
        self._limb.exit_control_mode()
        if not self._was_enabled:
            self._robot.disable()

    def wobble(self, seconds):
        joint = self._limb.joint_names()[-1]
        rate = rospy.Rate(100)
        start = rospy.Time.now()
        largest = 0.0
        self._limb.set_joint_position_speed(0.5)
        while not rospy.is_shutdown():
            elapsed = (rospy.Time.now() - start).to_sec()
            if elapsed > seconds:
                break
            command = dict(self._start)
            command[joint] += 0.2 * math.sin(math.pi * elapsed)
            self._limb.set_joint_positions(command)
            largest = max(largest, abs(self._limb.joint_angle(joint) - self._start[joint]))
            rate.sleep()
        return largest

    def go_back(self):
        self._limb.move_to_joint_positions(self._start, timeout=20.0)
        return max(abs(self._limb.joint_angle(name) - angle) for name, angle in self._start.items())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", "--seconds", type=float, default=2.0)
    args = parser.parse_args(rospy.myargv()[1:])
    rospy.init_node("joint_position_wobbler")
    params = intera_interface.RobotParams()
    wobbler = Wobbler(params.get_limb_names()[0])
    rospy.on_shutdown(wobbler.clean_shutdown)
    print("largest excursion: %.3f rad" % wobbler.wobble(args.seconds))
    print("left over: %.4f rad" % wobbler.go_back())
    rospy.signal_shutdown("done")


if __name__ == "__main__":
    main()
