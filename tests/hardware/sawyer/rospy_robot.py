"""A robot of rospy's own, run by the system's Python: tells joint states at 100 Hz and echoes commands."""

import rospy
from sensor_msgs.msg import JointState

JOINTS = [f"right_j{index}" for index in range(7)]

rospy.init_node("rospy_robot")
rospy.set_param("/manifest/robot_class", "sawyer")
echo = rospy.Publisher("/echo", JointState, queue_size=1000, tcp_nodelay=True)
states = rospy.Publisher("/robot/joint_states", JointState, queue_size=1)
rospy.Subscriber("/command", JointState, echo.publish, queue_size=1000, tcp_nodelay=True)
rate = rospy.Rate(100)
while not rospy.is_shutdown():
    message = JointState(name=JOINTS, position=[0.1 * index for index in range(7)], velocity=[0.0] * 7)
    message.header.stamp = rospy.Time.now()
    states.publish(message)
    rate.sleep()
