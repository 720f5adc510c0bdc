"""Spectra of the two matrices: the covariance of gradients K and the Hessian of the training loss H."""
