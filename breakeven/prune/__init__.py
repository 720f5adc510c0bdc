"""What lies in a results folder that no config names, and its removal."""
