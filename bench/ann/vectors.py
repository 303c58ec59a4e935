"""Matrices of vectors for the benchmark: .npy and .fvecs, prepared once, and the exact neighbours of the queries."""
import os

import numpy as np

NEIGHBOURS = 10


def read(path, most=None):
    if path.endswith(".fvecs"):
        raw = np.fromfile(path, np.int32)
        matrix = raw.reshape(-1, raw[0] + 1)[:, 1:].view(np.float32)
    else:
        matrix = np.load(path, mmap_mode="r")
    return np.ascontiguousarray(matrix[:most], dtype=np.float32)


def prepare(matrix, metric):
    """What the peers get: for cosine unit vectors, whose inner product they rank by."""
    if metric != "cosine":
        return matrix
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(norms > 0, norms, 1)


def seeded(rows, dimension, seed=20240229):
    """Rows around a few hundred centres in a space of fewer dimensions than they have: like embeddings, unlike noise."""
    random = np.random.default_rng(seed)
    inner = min(32, dimension)
    axes = random.standard_normal((inner, dimension), dtype=np.float32)
    centres = random.standard_normal((300, inner), dtype=np.float32)
    out = np.empty((rows, dimension), np.float32)
    for start in range(0, rows, 10_000):
        part = out[start:start + 10_000]
        place = centres[random.integers(300, size=len(part))]
        place = place + 0.6 * random.standard_normal((len(part), inner), dtype=np.float32)
        part[:] = place @ axes + 0.5 * random.standard_normal(part.shape, dtype=np.float32)
    return out


def exact(base, queries, metric, k=NEIGHBOURS):
    """Row numbers of the k nearest, best first; equal ones by row number."""
    squares = (base.astype(np.float64) ** 2).sum(1) if metric == "euclidean" else None
    out = np.empty((len(queries), k), np.int32)
    for start in range(0, len(queries), 200):
        scores = queries[start:start + 200] @ base.T
        if squares is not None:
            scores = 2 * scores - squares.astype(np.float32)
        best = np.argpartition(-scores, k + 10, axis=1)[:, :k + 10]
        # The matrix product rounds; the few best are scored again in double precision.
        for i, rows in enumerate(best):
            query, near = queries[start + i].astype(np.float64), base[rows].astype(np.float64)
            score = -((near - query) ** 2).sum(1) if metric == "euclidean" else near @ query
            out[start + i] = rows[np.lexsort((rows, -score))[:k]]
    return out


def recall(found, truth):
    return float(np.mean([len(set(map(int, f)) & set(map(int, t))) / len(t) for f, t in zip(found, truth)]))


def cached_exact(base, queries, metric, path):
    if not os.path.exists(path):
        np.save(path + ".new.npy", exact(base, queries, metric))
        os.replace(path + ".new.npy", path)
    return np.load(path)
