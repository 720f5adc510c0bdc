"""Verdicts on the claims of the paper, with their uncertainty."""
