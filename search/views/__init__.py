"""What shows a run while it goes on."""
