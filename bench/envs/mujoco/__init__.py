"""Continuous control: gymnasium's MuJoCo tasks that CIKD trains on."""
