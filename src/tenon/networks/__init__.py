"""Network building blocks that all methods share: encoders, policies, critics, optimisation on flat parameters."""
