"""Renderers over the one result type: text for consoles, HTML for notebooks and feedback pages."""
