"""The verbs of the command line: one function each, no logic."""
