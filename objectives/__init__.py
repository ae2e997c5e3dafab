"""What is trained: one file per objective; the folder is the registry.

A file defines ``train``, or ``build`` and ``data`` for the suite to train (docs/writing-an-objective.md), and says as a
tuple that is read without importing it::

    METRICS = ("val_loss",)         every metric that a point of its curve may hold, beside ``step`` and ``fold``;
                                    names imported from where they are computed are followed
    NAMED = ("val_f1",)             further ones, where its knob ``scoring`` names them; a goal's is named by itself
    MEASURED = ("latency_1",)       those of them that are read off a clock: no first goal, and never pruned by
    TRIED = ({"epochs": 2},)        recipes of seconds, ``data`` among the knobs; the contract tests train them all,
                                    or the defaults where it says none
    DISCLAIMS = ("every metric",)   what the recipes of TRIED yield is less than METRICS
"""
