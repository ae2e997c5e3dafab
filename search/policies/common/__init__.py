"""What several policies decide alike."""
