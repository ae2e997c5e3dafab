"""Parts that several pruners share."""
