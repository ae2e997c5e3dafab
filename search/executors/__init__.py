"""What trains: one file per executor, as ``contracts.executor`` says; the folder is the registry."""
