"""One trial as an iterator over its learning curve, whatever the objective is.

``training`` runs Python, a model that the suite trains, or a ``command``; ``callback`` turns a loop that somebody else
owns into an iterator; ``lifeline`` sees to it that no child outlives its parent.
"""
