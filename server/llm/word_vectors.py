"""WordLlama: a text's vector is the mean of its tokens' vectors. The weights are in the package."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from server.llm.embeddings import normalised, package, tokenizer_file

WEIGHTS = Path("weights", "l2_supercat_256.safetensors")


class WordVectors:
    """Token vectors and their tokenizer; it only reads, so that several threads may use one."""

    def __init__(self, table: NDArray[np.float32], tokenizer: Tokenizer) -> None:
        self._table = table
        self.tokenizer = tokenizer

    @classmethod
    @cache
    def load(cls) -> "WordVectors":
        """Read the files of the package, once in a process; takes half a second and 60 MB."""
        table = load_file(package() / WEIGHTS)["embedding.weight"].astype(np.float32)
        tokenizer = Tokenizer.from_file(str(tokenizer_file()))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(table, tokenizer)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a normalised row for each text."""
        rows = np.zeros((len(texts), self._table.shape[1]), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            # One by one: a batch would be padded to its longest text, and take all processors.
            ids = self.tokenizer.encode(text, add_special_tokens=False).ids
            if ids:
                row[:] = self._table[ids].mean(axis=0)
        return normalised(rows)
