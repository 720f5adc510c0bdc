"""How mini-batches are augmented, one module for each way.

Each has a function ``augment(raw, generator)``, which changes the stored inputs of a mini-batch by random numbers from the CPU
``generator``.
"""
