"""optuna-dashboard over a store: served safely, and told what the suite knows of a study.

``server`` serves it, ``guard`` stands between it and the network, ``annotate`` writes the study's note and plots into
the attributes that it reads. Only the server imports optuna-dashboard, which takes more than a second.
"""
