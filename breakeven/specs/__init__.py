"""What a run is: its specification, its data set, its schedule, code of the user's own; data and no computation."""
