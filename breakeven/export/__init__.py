"""Histories and spectra in the formats of other tools: one module for each, which takes a `breakeven.export.curves.Curves`."""
