#!/usr/bin/env python3
# ruff: noqa: T201, UP031
"""Tells of buttons on cuff and navigator until the navigator's OK is clicked, and answers with a light."""

import intera_interface
import rospy


def main():
    rospy.init_node("cuff_and_navigator", anonymous=True)
    cuff = intera_interface.Cuff("right")
    navigator = intera_interface.Navigator()
    lights = intera_interface.Lights()
    done = []

    def on_ok(value):
        print("OK button: %s" % navigator.button_string_lookup(value), flush=True)
        done.append(value)

    def on_cuff(value):
        print("cuff: %s" % value, flush=True)
        lights.set_light_state("head_green_light", on=bool(value))

    ok = navigator.register_callback(on_ok, "right_button_ok")
    cuff.register_callback(on_cuff, "right_cuff")
    assert navigator.register_callback(on_ok, "no_such_button") == ""
    print(
        "upper %s, lower %s, wheel %s"
        % (cuff.upper_button(), cuff.lower_button(), navigator.get_wheel_state("right_wheel")),
        flush=True,
    )
    while not done and not rospy.is_shutdown():
        rospy.sleep(0.05)
    navigator.deregister_callback(ok)
    print("green: %s" % lights.get_light_state("head_green_light"))


if __name__ == "__main__":
    main()
