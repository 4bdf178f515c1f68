"""Datasets in the formats of others: LeRobotDataset v3, robomimic's HDF5 and Minari. The recording stays the truth."""
