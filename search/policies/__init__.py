"""What decides which trial trains next: one file per policy, see ``contracts.policy``; the folder is the registry."""
