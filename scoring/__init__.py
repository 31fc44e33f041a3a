"""Judge it: observations become metrics with intervals, and metrics become a scorecard. Knows nothing of probing."""
