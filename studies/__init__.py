"""What is searched: one YAML per study; the folder is the registry."""
