"""What makes a trained network small: fewer neurons, factors of lower rank, fewer weights, weights of 8 bits.

::

    structure   layers made narrower or of lower rank, as plain data that rebuilds them
    weights     weights that stay 0 or are rounded while a network is trained on, and how they are stored
    latency     how long a forward pass takes

Nothing here knows of studies, data or training.
"""
