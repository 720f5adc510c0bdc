"""From the file that a user writes to the runs that it stands for: read, validate, expand, identify."""
