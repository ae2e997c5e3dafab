"""Models described once and run for all lanes of a cohort at a time: layers, images, sequences, torch modules."""
