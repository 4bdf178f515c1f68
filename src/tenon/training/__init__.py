"""Training: what turns a stream of transitions into a policy, whoever brings the stream."""
