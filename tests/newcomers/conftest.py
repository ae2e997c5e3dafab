"""Scripts here are read and run by the tests, not collected."""

collect_ignore_glob = ["*_scripts/*"]
