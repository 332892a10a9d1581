"""How a plan's runs get to workers and their results to disk. `dispatch`: whatever works; `local`: processes here."""
