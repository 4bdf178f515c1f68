"""The contract of the graph: topics, types, QoS, rates, and what the nodes share."""
