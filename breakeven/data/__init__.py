"""Data sets: one module per loader, each turning its source into uint8 arrays; ``prepare`` writes them once."""
