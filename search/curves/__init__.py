"""Models of learning curves: numpy and scipy only, no optuna, no I/O.

``shapes`` is the prior over how curves fall; ``single`` the posterior over one curve's end; ``surrogate`` the
Gaussian process over (recipe, step) that joins all curves of a study; ``encoding`` turns recipes into coordinates,
``scale`` turns recorded values into the models' units.
"""
