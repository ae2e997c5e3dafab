"""What stops weak trials early: one file per pruner, as ``contracts.pruner`` says; the folder is the registry."""
