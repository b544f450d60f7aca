"""The .skb format: fitted models as data, without code.

In: a fitted model, or a file from any source. Out: a file, or the model, if everything
in it is of a known class.

May import: utils, audio, features, fitting, networks, ensemble, segmentation, search.
Tests: ``pytest tests/model_files``.
"""
