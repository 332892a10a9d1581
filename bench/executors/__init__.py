"""How a plan's runs get to workers and their results to disk. `dispatch`: any kind of worker; `local`: processes."""
