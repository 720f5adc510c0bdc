"""Training: plain SGD that saves snapshots of the weights along its trajectory, and knows nothing of spectra."""
