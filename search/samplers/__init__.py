"""What proposes recipes: one file per sampler, as ``contracts.sampler`` says; the folder is the registry."""
