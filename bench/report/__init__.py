"""Verdicts and curves for people and programs: terminal, Markdown with figures, JSON."""
