"""Runs a cell's seeds together. The one place that joins methods and environments."""
