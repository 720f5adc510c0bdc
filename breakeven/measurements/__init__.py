"""What is measured along a run: one module for each measurement, a function that reads snapshots and writes a table."""
