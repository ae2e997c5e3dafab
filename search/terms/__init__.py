"""The words that all share: a study and its space, a recipe, a trial, a job; imports nothing above.

Pure: no optuna, no torch, no I/O, but for ``registry``, which lists the folders of the plug-ins.
"""
