"""What `hpo` can do: one file per command; the folder is the registry.

Each file has a docstring whose first line is the command's help, ``configure(parser)`` and ``main(arguments) -> int``.
Files import nothing heavy at their top: `hpo --help` must stay fast.
"""
