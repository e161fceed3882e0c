"""Epochs of other libraries' BPR, for `peers.py`, which runs this in another environment.

    python peers_loops.py FOLDER DIM NEGATIVES BATCH

FOLDER holds `pairs.npy` [n, 2], users and items counted from 0. A line of input names a library and
a number of epochs; a line of output is the CPU time that they took. All on one thread.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix

Train = Callable[[int], object]  # for a number of epochs


def recbole(folder: Path, pairs: Any, dim: int, negatives: int, batch: int) -> Train:
    """RecBole's own trainer, without its validation; it counts pairs in a batch, not positives."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.general_recommender import BPR
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    data = folder / "pairs"
    data.mkdir(exist_ok=True)
    for part, rows in (("train", pairs), ("valid", pairs[:10]), ("test", pairs[:10])):
        header = "user_id:token\titem_id:token"
        target = data / f"pairs.{part}.inter"
        np.savetxt(target, rows, fmt="%d", delimiter="\t", header=header, comments="")
    settings = {
        "data_path": str(folder),
        "checkpoint_dir": str(folder / "saved"),
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id"]},
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
        "embedding_size": dim,
        "train_batch_size": batch * negatives,
        "train_neg_sample_args": {"distribution": "uniform", "sample_num": negatives},
    }
    arguments, sys.argv = sys.argv, sys.argv[:1]  # which RecBole reads
    config = Config(model="BPR", dataset="pairs", config_dict=settings)
    sys.argv = arguments
    init_seed(0, reproducibility=True)
    train, _, _ = data_preparation(config, create_dataset(config))
    trainer = Trainer(config, BPR(config, train.dataset))
    assert len(train.dataset) == len(pairs)

    def epochs(count: int) -> None:
        for epoch in range(count):
            trainer._train_epoch(train, epoch)

    return epochs


def implicit(folder: Path, pairs: Any, dim: int, negatives: int, batch: int) -> Train:
    """One pair after the other, each with one negative that the user has not seen."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    matrix = csr_matrix((np.ones(len(pairs), np.float32), pairs.T))
    return lambda count: BayesianPersonalizedRanking(
        factors=dim, iterations=count, num_threads=1, random_state=0
    ).fit(matrix, show_progress=False)


def cornac(folder: Path, pairs: Any, dim: int, negatives: int, batch: int) -> Train:
    """As implicit."""
    from cornac.data import Dataset
    from cornac.models import BPR

    data = Dataset.from_uir([(user, item, 1.0) for user, item in pairs.tolist()])
    return lambda count: BPR(k=dim, max_iter=count, num_threads=1, seed=0).fit(data)


LIBRARIES = {"recbole": recbole, "implicit": implicit, "cornac": cornac}


def main(folder: Path, dim: int, negatives: int, batch: int) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print
    logging.disable()
    torch.set_num_threads(1)
    pairs = np.load(folder / "pairs.npy")
    trained: dict[str, Train] = {}
    for line in sys.stdin:
        name, count = line.split()
        answer: dict[str, object]
        try:
            if name not in trained:
                trained[name] = LIBRARIES[name](folder, pairs, dim, negatives, batch)
            started = time.process_time()
            trained[name](int(count))
            seconds = time.process_time() - started
            answer = {"seconds": seconds}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
