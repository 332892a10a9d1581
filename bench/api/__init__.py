"""What the commands do, for use in Python: `import bench`. docs/library.md has examples."""

from bench.api.study import Study, read, suites

__all__ = ["Study", "read", "suites"]
