"""A first study file from what somebody has already, one file per kind of source; see ``contracts/draft.py``."""
