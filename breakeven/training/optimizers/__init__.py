"""The optimizers that a run can be trained with, one module for each.

Each has a function ``build(parameters, spec)``, which gives PyTorch's optimizer of the parameters, pairs of name and tensor, with
the settings of the run; the learning rate is set before each step. Its state must be tensors, so that checkpoints hold all of it.
"""
