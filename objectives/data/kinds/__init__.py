"""Kinds of data beside the bundled sets: one file per kind, as ``objectives.data`` says; the folder is the registry."""
