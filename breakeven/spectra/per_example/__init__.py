"""The Gram matrix of the gradients of single examples (M = 1), at a fraction of the memory and time of one backward pass each."""
