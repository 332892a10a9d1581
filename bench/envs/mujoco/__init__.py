"""Continuous control: the MuJoCo tasks of gymnasium that CIKD trains on."""
