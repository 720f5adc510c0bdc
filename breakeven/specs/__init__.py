"""What a run is: its specification, its data set, its measurements and their quantities, code of the user's own; declarations."""
