#!/usr/bin/env python3
# ruff: noqa: T201, UP031, B905
"""Moves the hand up by inverse kinematics: once by the limb's own call, once by the service."""

import sys
from copy import deepcopy

import intera_interface
import rospy
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from intera_core_msgs.srv import SolvePositionIK, SolvePositionIKRequest
from std_msgs.msg import Header


def by_service(pose):
    name = "ExternalTools/right/PositionKinematicsNode/IKService"
    rospy.wait_for_service(name, 5.0)
    request = SolvePositionIKRequest()
    request.pose_stamp.append(PoseStamped(header=Header(stamp=rospy.Time.now(), frame_id="base"), pose=pose))
    request.tip_names.append("right_hand")
    try:
        response = rospy.ServiceProxy(name, SolvePositionIK)(request)
    except (rospy.ServiceException, rospy.ROSException) as error:
        rospy.logerr("the service failed: %s", error)
        return None
    if response.result_type[0] <= 0:
        return None
    return dict(zip(response.joints[0].name, response.joints[0].position))


def main():
    rospy.init_node("ik_move")
    limb = intera_interface.Limb()
    intera_interface.RobotEnable().enable()
    here = limb.endpoint_pose()
    target = Pose(position=Point(*here["position"]), orientation=Quaternion(*here["orientation"]))
    target.position.z += 0.05
    joints = limb.ik_request(target, "right_hand")
    if not joints:
        print("no solution", file=sys.stderr)
        return 1
    other = by_service(target)
    print("both agree: %s" % all(abs(other[name] - angle) < 1e-6 for name, angle in joints.items()))
    print("by FK: %.4f m" % limb.joint_angles_to_cartesian_pose(joints).position.z)
    limb.set_joint_position_speed(0.5)
    limb.move_to_joint_positions(joints, timeout=20.0)
    rospy.sleep(1.0)  # it goes on to its target
    print("moved up by %.1f mm" % (1000 * (limb.endpoint_pose()["position"].z - here["position"].z)))
    unreachable = deepcopy(target)
    unreachable.position.x = 5.0
    print("out of reach: %s" % limb.ik_request(unreachable))
    return 0


if __name__ == "__main__":
    sys.exit(main())
