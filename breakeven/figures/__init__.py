"""The figures of a study: one module each, with a function ``chart(trajectories, runs, study)``."""
