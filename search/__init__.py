"""The engine: from a study file to a confirmed winner."""
