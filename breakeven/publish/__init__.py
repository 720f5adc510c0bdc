"""Findings: results that the project stands for, as pages and tables in the documentation, made from a results folder."""
