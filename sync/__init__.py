"""Between plant and head office: signed messages, cumulative counters, a lossy pipe. Knows nothing of scales."""
