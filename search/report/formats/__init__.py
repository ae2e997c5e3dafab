"""Recipes in the keys of the tools in which the large run happens, one file per tool; the folder is the registry.

A file defines::

    SUFFIX = ".yaml"                 ending of what it writes
    TAKES = ("causal", "masked", "") which runs it can describe: language models, or anything else under ""
    KEYS = ("learning_rate", ...)    every key that it may write
    CHECKED = "transformers 5.24"    the version whose schema the keys were held against
    write(run: Run) -> str           the file's text

``write`` fills a ``Sheet``, which names each knob beside the key that carries it and lists the rest by itself, so that
nothing of a recipe is dropped without a word.
"""
