"""What is trained: one file per objective; the folder is the registry."""
