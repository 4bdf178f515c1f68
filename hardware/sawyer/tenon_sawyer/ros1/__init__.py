"""A ROS 1 node in pure Python: XML-RPC to the master and to other nodes, TCPROS between them. Needs no ROS 1."""
