"""RealSense cameras by librealsense: colour, depth aligned to it, the lens as the device knows it."""
