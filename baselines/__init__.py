"""The algorithms. `specs` names them and their hyperparameters; `learner` is the protocol they satisfy."""
