"""What makes the pages of the reference from the package, and the Sphinx extension that puts them into the site."""
