"""Latency of lists in process, over HTTP and by an index; time and memory of a batch job.

    python benchmarks/serving.py latency --items 10000 100000 1000000
    python benchmarks/serving.py quality        # what an index costs in NDCG, HitRate and Coverage
    python benchmarks/serving.py quality --items 1000000    # likewise, of clustered vectors
    python benchmarks/serving.py batch --users 1000000 --items 100000 --folder lists

Vectors of `latency` and `batch` are random (64 dimensions): the time of exact ranking does not
depend on them, and for an index they are harder than trained ones. Users have seen 50 items each.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import requests
import torch

from twotower.config import build
from twotower.evaluation import top_k
from twotower.model import DotProductScorer, TwoTower
from twotower.serving.batch import BatchJob
from twotower.serving.export.indexes import FaissIndex, ItemIndex, UsearchIndex
from twotower.serving.recommender import Recommender
from twotower.types import Histories, ItemLists, Recommendations, Side, Vocabulary

DIM, SEEN, K = 64, 50, 10
SHOWN = ("ndcg", "hitrate", "coverage")
TOWER = {
    "_target_": "twotower.tower.embedding.EmbeddingTower",
    "_partial_": True,
    "emb_dim": DIM,
    "init_std": 0.125,
    "similarity": "dot",
    "bias": False,
}


def random_model(n_users: int, n_items: int) -> Recommender:
    """Return a model with random embeddings and histories."""
    users, items = Side("user", n_users, n_users, None), Side("item", n_items, n_items, None)
    generator = torch.Generator().manual_seed(0)
    seen = torch.randint(n_items, (n_users * SEEN,), generator=generator)
    offsets = torch.arange(0, n_users * SEEN + 1, SEEN)
    vocabulary = Vocabulary(
        pl.Series("user_id", np.arange(n_users)), pl.Series("item_id", np.arange(n_items))
    )
    model = TwoTower.build(build(TOWER), users=users, items=items, seed=0)
    return Recommender(model, TOWER, vocabulary, Histories(offsets, seen), users, items)


def timed(
    call: Callable[[int], object], n: int, cpu: Callable[[], float] = time.process_time
) -> str:
    """Return the median and the 99th percentile of the wall time of `n` calls, and the mean CPU
    time, in ms.

    Args:
        call: Takes the number of the call.
        n: How many calls.
        cpu: The seconds of CPU time so far of the process that does the work.
    """
    call(0)
    seconds, before = [], cpu()
    for number in range(1, n + 1):
        start = time.perf_counter()
        call(number)
        seconds.append(time.perf_counter() - start)
    low, high = np.percentile(seconds, [50, 99]) * 1000
    return f"{low:.1f} / {high:.1f} ({(cpu() - before) / n * 1000:.1f})"


def cpu_of_group(pid: int) -> float:
    """Return the seconds of CPU time so far of a process group's members that are alive."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[2]) == pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def latency(n_items: int, n_calls: int) -> Iterator[tuple[str, str, str]]:
    """Yield what was measured, p50 / p99 (CPU) of one user and of 64 users."""
    n_users = 10_000
    model = random_model(n_users, n_items)
    calls = {1: n_calls, 64: max(n_calls // 5, 5)}

    def both(
        of: Callable[[list[int]], object], cpu: Callable[[], float] = time.process_time
    ) -> tuple[str, str]:
        one, many = (timed(_of_size(of, size, n_users), n, cpu) for size, n in calls.items())
        return one, many

    yield "recommend, exact", *both(partial(model.recommend, k=K))
    with TemporaryDirectory() as folder, served(model, Path(folder)) as (address, group):
        yield "HTTP, exact", *both(partial(post, address), partial(cpu_of_group, group))
    vectors, table = model.user_vectors(), model.item_vectors()
    for name, index in indexes(table):
        recall = _recall(index, vectors[:200], table)
        yield f"{name}, recall {recall:.3f}", *both(partial(_search, index, vectors))
    yield "implicit, exact", *both(implicit_recommend(model, vectors, table))


def _of_size(of: Callable[[list[int]], object], size: int, n_users: int) -> Callable[[int], object]:
    """Return a call, by its number, of `of` with `size` users who change from call to call."""
    return lambda number: of([(number * size + place) % n_users for place in range(size)])


def _search(index: ItemIndex, vectors: Any, users: list[int]) -> object:
    return index.search(vectors[users], K + SEEN)


def indexes(items: Any) -> Iterator[tuple[str, ItemIndex]]:
    """Yield approximate indexes of the items. Graphs of more than 100,000 take minutes to build."""
    if len(items) <= 100_000:
        yield "faiss HNSW32, efSearch=128", FaissIndex(items, "dot", "HNSW32", "efSearch=128")
        yield "usearch, 32 links, expansion 128", UsearchIndex(items, "dot", 32, 128)
    lists = f"IVF{int(len(items) ** 0.5)}"
    yield f"faiss {lists}, nprobe=32", FaissIndex(items, "dot", f"{lists},Flat", "nprobe=32")


def _recall(index: ItemIndex, users: Any, items: Any) -> float:
    """Return the share of the exact top K that the index finds."""
    rows, _ = index.search(users, K)
    scorer = DotProductScorer(torch.from_numpy(users), torch.from_numpy(items))
    exact = top_k(scorer, torch.arange(len(users)), k=K, drop=None, block_scores=4_000_000)
    found = [len(set(a) & set(b)) for a, b in zip(rows.tolist(), exact.items.tolist(), strict=True)]
    return float(np.mean(found)) / K


def implicit_recommend(model: Recommender, users: Any, items: Any) -> Callable[[list[int]], object]:
    """Return implicit's own `recommend` on the same vectors."""
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    peer = AlternatingLeastSquares(factors=DIM, num_threads=torch.get_num_threads())
    peer.user_factors, peer.item_factors = users, items
    rows, columns = model.histories.rows.numpy(), model.histories.items.numpy()
    seen = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(users), len(items)))
    return lambda asked: peer.recommend(np.array(asked), seen[asked], N=K)


def post(address: str, users: list[int]) -> Any:
    """Return the lists of the server."""
    body = {"dataframe_split": {"columns": ["user_id"], "data": [[user] for user in users]}}
    answer = requests.post(f"{address}/invocations", json={**body, "params": {"k": K}}, timeout=600)
    answer.raise_for_status()
    return answer.json()


@contextmanager
def served(model: Recommender, folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the address of `mlflow models serve` on the model, and its process group."""
    from twotower.serving.mlflow_model import save_mlflow_model

    save_mlflow_model(model, folder / "model")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "model")]
    command += ["--env-manager", "local", "-p", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env=os.environ | {"PATH": path}
        )
    try:
        while True:
            if server.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            try:
                requests.get(f"http://127.0.0.1:{port}/ping", timeout=5).raise_for_status()
                break
            except requests.RequestException:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        os.killpg(server.pid, 15)
        server.wait()


def quality(overrides: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the metrics of exact lists and of lists by an index, seen items dropped from both."""
    import twotower
    from twotower import config

    result = twotower.run([*overrides, "tracking=none", "trainer.progress_bar=false"])
    assert result.test is not None
    fold, scorer = result.test.fold, result.test.scorer
    evaluation = config.build(config.compose("train", overrides)).evaluation
    users, items = scorer.users[fold.holdout.users].numpy(), scorer.items.numpy()

    def measured(found: Recommendations) -> str:
        values = evaluation.measure(found, fold).values
        return json.dumps(
            {m: round(values[f"{m}_at_10"], 4) for m in ("ndcg", "hitrate", "coverage")}
        )

    yield "exact", measured(result.test.recommendations)
    deepest = K + int(fold.holdout.seen.lengths.max())
    for name, index in indexes(items):
        kept, best = _unseen(index, users, fold.holdout.seen, min(deepest, len(items)))
        lists = Recommendations(fold.holdout.users, torch.from_numpy(kept), torch.from_numpy(best))
        yield f"{name}, recall {_recall(index, users, items):.3f}", measured(lists)


def _unseen(index: ItemIndex, users: Any, seen: ItemLists, depth: int) -> tuple[Any, Any]:
    """Return the rows and scores of each user's list: of the `depth` nearest, those not seen."""
    rows, scores = index.search(users, depth)
    met = seen.contains(torch.arange(len(users)), torch.from_numpy(rows)).numpy()
    order = np.argsort(met | (rows < 0), axis=1, kind="stable")[:, :K]
    kept = np.take_along_axis(rows, order, 1)
    kept[np.take_along_axis(met, order, 1)] = -1
    return kept, np.take_along_axis(scores, order, 1)


def clustered_quality(n_items: int, n_users: int = 1000) -> Iterator[tuple[str, str]]:
    """Yield what `quality` does, and p50 / p99, for vectors in clusters, as trained ones are.

    Users like three clusters each, and lengths of items differ. Users have interacted with `SEEN`
    of their 500 best items, the better the more likely; 5 of these are held out.
    """
    generator = np.random.default_rng(0)
    centers = generator.normal(size=(max(n_items // 1000, 10), DIM))
    items = centers[generator.integers(len(centers), size=n_items)]
    items += 0.7 * generator.normal(size=items.shape)
    items *= generator.lognormal(0, 0.2, size=(n_items, 1))
    vectors: Any = items.astype(np.float32)
    users = centers[generator.integers(len(centers), size=(n_users, 3))].mean(1)
    users = (users + 0.4 * generator.normal(size=users.shape)).astype(np.float32)
    scorer = DotProductScorer(torch.from_numpy(users), torch.from_numpy(vectors))
    of_all = torch.arange(n_users)
    nearest = top_k(scorer, of_all, k=500, drop=None, block_scores=4_000_000).items.numpy()
    chance = 1 / np.arange(1, 501)
    drawn = [generator.choice(500, SEEN, replace=False, p=chance / chance.sum()) for _ in users]
    met = np.take_along_axis(nearest, np.array(drawn), 1)
    held, known = met[:, :5], torch.from_numpy(met[:, 5:])
    seen = ItemLists.from_pairs(of_all.repeat_interleave(SEEN - 5), known.flatten(), n_users)

    def measured(lists: Any) -> str:
        hits = (lists[:, :, None] == held[:, None, :]).any(2)
        gains = 1 / np.log2(np.arange(2, K + 2))
        values = (
            ("ndcg", float((hits * gains).sum(1).mean() / gains[:5].sum())),
            ("hitrate", float(hits.any(1).mean())),
            ("coverage", len(np.unique(lists[lists >= 0])) / n_items),
        )
        return json.dumps({name: round(value, 5) for name, value in values})

    exact = top_k(scorer, of_all, k=K, drop=seen, block_scores=4_000_000)
    yield "exact", measured(exact.items.numpy())
    for name, index in _clustered_indexes(vectors):
        recall = _recall(index, users[:200], vectors)
        search = partial(_search, index, users)
        once, many = (timed(_of_size(search, size, n_users), 200 // size + 5) for size in (1, 64))
        found = measured(_unseen(index, users, seen, K + SEEN)[0])
        yield f"{name}, recall {recall:.3f}, ms {once}, of 64 {many}", found


def _clustered_indexes(items: Any) -> Iterator[tuple[str, ItemIndex]]:
    """Yield indexes of the items; graphs of 1,000,000 take a quarter of an hour to build."""
    lists = f"IVF{int(len(items) ** 0.5)}"
    inverted = FaissIndex(items, "dot", f"{lists},Flat", None)
    for probes in (8, 32, 128):
        inverted.set_search(f"nprobe={probes}")
        yield f"faiss {lists}, nprobe={probes}", inverted
    if len(items) <= 100_000:
        graph = FaissIndex(items, "dot", "HNSW32", None)
        for effort in (64, 256):
            graph.set_search(f"efSearch={effort}")
            yield f"faiss HNSW32, efSearch={effort}", graph
        yield "usearch, 32 links, expansion 256", UsearchIndex(items, "dot", 32, 256)


def batch(n_users: int, n_items: int, folder: Path) -> None:
    """Print the time and the peak memory of a batch job; a job that was killed is resumed."""
    model = random_model(n_users, n_items)
    start, cpu = time.perf_counter(), time.process_time()
    out = folder / "lists.parquet"
    arguments = {"k": K, "drop_seen": True, "items": None, "exclude": None}
    job = BatchJob(
        recommender=model,
        users=model.served_users,
        out=out,
        parts=folder / "parts",
        block=10_000,
        identity=[n_users, n_items],
        arguments=arguments,
    )
    resumed = len(list(job.parts.glob("*.parquet")))
    job.run(lambda n: print(".", end="", flush=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"\n{n_users:,} users, {n_items:,} items: {time.perf_counter() - start:.0f} s wall, "
        f"{time.process_time() - cpu:.0f} s CPU, peak {peak:.2f} GiB, "
        f"file {out.stat().st_size / 2**20:.0f} MiB, {resumed} blocks of an earlier process"
    )
    digest = hashlib.sha256(
        pl.read_parquet(out, columns=["item_id"])["item_id"].to_numpy().tobytes()
    )
    print(f"SHA-256 of the items: {digest.hexdigest()[:16]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    of_latency = commands.add_parser("latency")
    of_latency.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    of_latency.add_argument("--calls", type=int, default=100)
    of_quality = commands.add_parser("quality")
    of_quality.add_argument("overrides", nargs="*", default=["experiment=ml100k"])
    of_quality.add_argument("--items", type=int, help="of clustered vectors, not of a trained run")
    of_batch = commands.add_parser("batch")
    of_batch.add_argument("--users", type=int, default=1_000_000)
    of_batch.add_argument("--items", type=int, default=100_000)
    of_batch.add_argument("--folder", type=Path, help="kept; the same again resumes a killed job")
    asked = parser.parse_args()
    if asked.command == "batch":
        with TemporaryDirectory() as scratch:
            folder = asked.folder or Path(scratch)
            batch(asked.users, asked.items, folder)
    elif asked.command == "quality":
        of_run = asked.items is None
        for name, values in quality(asked.overrides) if of_run else clustered_quality(asked.items):
            print(f"{name}: {values}", flush=True)
    else:
        for n_items in asked.items:
            for name, one, many in latency(n_items, asked.calls):
                print(f"{n_items:>9,} items | {name:<45} | {one:>22} | {many:>23}", flush=True)


if __name__ == "__main__":
    main()
