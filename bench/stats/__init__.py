"""Statistics on per-seed numbers: intervals, transfer metrics and decisions. Uses numpy and scipy, nothing of ours."""

LARGEST = 1e150  # the greatest size of a score: its square is still a float64
