"""The parts of an emulated UR controller: its ports, its registers, its program, its safety system."""
