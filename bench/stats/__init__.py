"""Statistics on per-seed numbers: intervals, transfer metrics and decisions. Uses numpy and scipy, nothing of ours."""
