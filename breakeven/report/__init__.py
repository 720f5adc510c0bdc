"""The report stage: one page that holds everything the studies showed, and opens offline."""
