"""The data of language models: documents of text, tokens, rows of them, and masks.

::

    corpus = open_corpus({"text": {"path": "books/*.txt"}}, split_seed)
    tokenized = tokenize(corpus, "bpe", 4096)
    rows = packing.documents(tokenized.train, context=256, truncate="window", seed=0)
    inputs, targets, documents = rows.gather(np.arange(8))

``indexing`` finds documents, ``corpus`` splits them, ``encoders`` number them, ``tokenizers`` keeps the numbers,
``packing`` makes rows of them and ``masking`` hides some. Nothing here holds a corpus in memory. Importing this
package imports nothing.
"""
