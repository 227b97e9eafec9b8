"""What detectors are worth on real texts: streams, shifts, ours, peers, and the judging of all."""
