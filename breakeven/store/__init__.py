"""Files between stages: written whole or not at all, known by their digests, read back as what they were.

How files are written changes no number, so that `files`, `progress`, `training_record` and `notes` are in no digest of a stage's
code (`breakeven.config.code_digest`). What changes the meaning of a file raises `breakeven.jobs.results_folder.FORMAT`.
"""
