"""Measure the early phase of SGD: the covariance of gradients K, the Hessian H, and the break-even point."""

__version__ = "0.1.0"
