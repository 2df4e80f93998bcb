"""Reports of results: text for consoles, HTML for notebooks and feedback pages."""
