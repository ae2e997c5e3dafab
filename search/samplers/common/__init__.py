"""Parts that several samplers share."""
