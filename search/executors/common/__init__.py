"""Parts that several executors share: worker processes, and cohorts spread over them."""
