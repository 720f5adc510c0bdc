"""The figures of a study: one module each, with a caption and a function ``chart(trajectories, runs, study)``."""
