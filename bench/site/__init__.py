"""The leaderboard: suites and a results folder -> static pages. docs/leaderboard.md."""
