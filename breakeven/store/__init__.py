"""Files between stages: written whole or not at all, known by their digests, read back as what they were.

Nothing here changes a number, so no digest of a stage's code holds it (`breakeven.config.code_digest`). What changes the meaning
of a file raises `breakeven.store.format.FORMAT`.
"""
