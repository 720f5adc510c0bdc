"""What random numbers are drawn for, each with a number of its own; one more is one more line.

Apart from `breakeven.specs.randomness`, so that one more changes nothing that training depends on. Never change a number: the
same specification would be another run.
"""

PURPOSES = {
    "initialisation": 0,
    "order": 1,
    "augmentation": 2,
    "dropout": 3,
    "lanczos": 4,
    "trace": 5,
    "density": 6,
    "sampling": 7,
    "preconditioned": 9,
    "sharpness": 10,
    "blocks": 11,
}
