"""How a plan's runs get to processes. `local`: processes of this machine."""
