"""What an objective's source says, read without running it.

``objective`` says what a reference means; ``source`` and ``annotations`` read Python files, ``live`` functions of this
process, the ``trial_`` files those of Optuna's ``trial``.
"""
