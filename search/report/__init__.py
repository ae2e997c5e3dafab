"""What a study tells: ``study`` as plain data, then as text, tables, a live view, files and plots."""
