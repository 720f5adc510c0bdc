"""Training: SGD that saves snapshots of the weights along its trajectory, and knows nothing of spectra.

`train` is the stage, `training` the run at a step with all of its state, `checkpoints` how that outlives the process.
"""
