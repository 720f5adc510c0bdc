"""What the tables of the runs of a study add up to."""
