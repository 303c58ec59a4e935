"""One peer's index in a process of its own: builds it, then measures one pass over its settings for each line it reads.

    peers.py KIND DEGREE FOLDER METRIC BUILD_THREADS THREADS CACHE

FOLDER holds base.npy, queries.npy and truth.npy as the driver prepared them; CACHE keeps built indexes. Results go to
standard output, one JSON object per line; whatever the libraries print goes to standard error. Every search asks for ids
and scores of the ten nearest; all queries are handed over in one call where the library has such a call (which spares it
what VecStore pays per query), else one by one.
"""
import json
import os
import shutil
import sys
import tempfile
import time

import numpy as np

from vectors import NEIGHBOURS, recall

EFFORTS = [10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 160, 200, 256, 320, 400, 512, 800]
EF_CONSTRUCTION = 200
WARM_UP = 200


class Hnswlib:
    def __init__(self, c):
        import hnswlib
        space = "l2" if c.metric == "euclidean" else "ip"
        self.index = hnswlib.Index(space, c.dimension)

        def build(path):
            self.index.init_index(c.rows, ef_construction=EF_CONSTRUCTION, M=c.degree)
            self.index.add_items(c.base(), num_threads=c.build_threads)
            self.index.save_index(path)
        if not c.build(f"hnswlib-{c.degree}", build):
            self.index.load_index(c.path, max_elements=c.rows)
        self.threads = c.threads
        self.settings = EFFORTS

    def use(self, ef):
        self.index.set_ef(ef)

    def search(self, queries):
        return self.index.knn_query(queries, NEIGHBOURS, num_threads=self.threads)


class Faiss:
    def __init__(self, c):
        import faiss
        self.faiss, self.ivf = faiss, c.kind == "faiss-ivf"
        metric = faiss.METRIC_L2 if c.metric == "euclidean" else faiss.METRIC_INNER_PRODUCT
        lists = int(c.degree * c.rows ** 0.5)
        pairs = f"IVF{lists},PQ{c.dimension // 2}x4fs,RFlat"
        recipe = {"faiss-hnsw": f"HNSW{c.degree},Flat", "faiss-hnsw-sq8": f"HNSW{c.degree},SQ8",
                  "faiss-ivf": pairs}[c.kind]

        def build(path):
            faiss.omp_set_num_threads(c.build_threads)
            base = c.base()
            index = faiss.index_factory(c.dimension, recipe, metric)
            if not self.ivf:
                index.hnsw.efConstruction = EF_CONSTRUCTION
            if not index.is_trained:
                sample = np.random.default_rng(0).choice(c.rows, min(c.rows, max(100_000, 40 * lists)), False)
                index.train(base[np.sort(sample)])
            index.add(base)
            faiss.write_index(index, path)
            self.index = index
        if not c.build(f"{c.kind}-{c.degree}", build):
            self.index = faiss.read_index(c.path)
        faiss.omp_set_num_threads(c.threads)
        if self.ivf:
            self.settings = [(lists, more) for lists in (2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
                             for more in (2, 4, 10, 20)]
        else:
            self.settings = EFFORTS

    def use(self, setting):
        if self.ivf:
            probes = self.faiss.SearchParametersIVF(nprobe=setting[0])
            self.parameters = self.faiss.IndexRefineSearchParameters(k_factor=setting[1], base_index_params=probes)
        else:
            self.parameters = self.faiss.SearchParametersHNSW(efSearch=setting)

    def search(self, queries):
        scores, ids = self.index.search(queries, NEIGHBOURS, params=self.parameters)
        return ids, scores


class Usearch:
    def __init__(self, c):
        from usearch.index import Index
        metric = "l2sq" if c.metric == "euclidean" else "ip"
        dtype = c.kind.split("-")[1]
        self.index = Index(ndim=c.dimension, metric=metric, dtype=dtype, connectivity=c.degree,
                           expansion_add=EF_CONSTRUCTION)

        def build(path):
            self.index.add(np.arange(c.rows), c.base(), threads=c.build_threads)
            self.index.save(path)
        if not c.build(f"{c.kind}-{c.degree}", build):
            self.index.load(c.path)
        self.threads = c.threads
        self.settings = EFFORTS

    def use(self, ef):
        self.index.expansion_search = ef

    def search(self, queries):
        found = self.index.search(queries, NEIGHBOURS, threads=self.threads)
        return found.keys, found.distances


class Svs:
    """SVS Vamana with codes of two levels; alpha, window and the codes as its documentation advises."""

    def __init__(self, c):
        import svs
        self.svs, self.case = svs, c
        self.distance = svs.DistanceType.L2 if c.metric == "euclidean" else svs.DistanceType.MIP
        with tempfile.TemporaryDirectory() as folder:
            # Its codes refuse some machines: that is known before the graph is built.
            self.build(folder, c.base()[:200])
            self.open(folder)
        c.build(f"svs-{c.degree}", lambda path: self.build(path, c.base()))
        self.index = self.open(c.path)
        self.settings = EFFORTS

    def build(self, path, rows):
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        alpha = 1.2 if self.case.metric == "euclidean" else 0.95
        parameters = self.svs.VamanaBuildParameters(alpha=alpha, graph_max_degree=2 * self.case.degree,
                                                    window_size=128)
        index = self.svs.Vamana.build(parameters, rows, self.distance, num_threads=self.case.build_threads)
        index.save(path + "/config", path + "/graph", path + "/data")

    def open(self, path):
        svs, dimension = self.svs, self.case.dimension
        data = svs.VectorDataLoader(path + "/data", svs.DataType.float32, dims=dimension)
        if self.case.kind == "svs-lvq4x8":
            codes = svs.LVQLoader(data, primary=4, residual=8)
        else:
            codes = svs.LeanVecLoader(data, leanvec_dims=dimension // 2, primary_kind=svs.LeanVecKind.lvq4,
                                      secondary_kind=svs.LeanVecKind.lvq8)
        return svs.Vamana(path + "/config", svs.GraphLoader(path + "/graph"), codes, self.distance,
                          num_threads=self.case.threads)

    def use(self, ef):
        self.index.search_window_size = ef

    def search(self, queries):
        return self.index.search(queries, NEIGHBOURS)


class Zvec:
    """zvec has no call for many queries, so each one pays for Python."""

    def __init__(self, c):
        import zvec
        self.zvec, self.refine = zvec, c.kind == "zvec-int8"
        more = {"quantize_type": zvec.QuantizeType.INT8} if self.refine else {}
        metric = zvec.MetricType.L2 if c.metric == "euclidean" else zvec.MetricType.IP
        index = zvec.HnswIndexParam(metric_type=metric, m=c.degree, ef_construction=EF_CONSTRUCTION,
                                    use_contiguous_memory=True, **more)
        schema = zvec.CollectionSchema(name="bench", vectors=zvec.VectorSchema("v", zvec.DataType.VECTOR_FP32,
                                                                                c.dimension, index))

        def build(path):
            shutil.rmtree(path, ignore_errors=True)
            self.collection, base = zvec.create_and_open(path, schema), c.base()
            for start in range(0, c.rows, 1000):
                self.collection.insert([zvec.Doc(id=str(start + i), vectors={"v": row.tolist()})
                                        for i, row in enumerate(base[start:start + 1000])])
            self.collection.optimize(option=zvec.OptimizeOption(concurrency=c.build_threads))
        if not c.build(f"{c.kind}-{c.degree}", build):
            self.collection = zvec.open(c.path)
        if c.threads != 1:
            raise RuntimeError("zvec is measured on one thread only: its queries hold Python's lock")
        self.settings = EFFORTS

    def use(self, ef):
        self.parameters = self.zvec.HnswQueryParam(ef=ef, is_using_refiner=self.refine)

    def search(self, queries):
        ids, scores = [], []
        for vector in queries.tolist():
            found = self.collection.query(queries=self.zvec.Query("v", vector=vector, param=self.parameters),
                                          topk=NEIGHBOURS)
            ids.append([int(d.id) for d in found])
            scores.append([d.score for d in found])
        return ids, scores


class Glass:
    """glass's own best: graph built on 8-bit codes, search on 4 or 8 bits, rescored with float16."""

    def __init__(self, c):
        sys.path.insert(0, os.environ.get("GLASS", ""))
        import glass
        metric = "L2" if c.metric == "euclidean" else "IP"

        def build(path):
            index = glass.Index(index_type="HNSW", metric=metric, quant="SQ8U", R=2 * c.degree, L=EF_CONSTRUCTION)
            index.build(c.base()).save(path)
        c.build(f"glass-{c.degree}", build)
        codes = {"glass-4bit": "SQ4U", "glass-8bit": "SQ8U"}[c.kind]
        self.index = glass.Searcher(glass.Graph(c.path), c.base(), metric, codes, "FP16")
        self.threads = c.threads
        self.settings = EFFORTS

    def before_passes(self):
        self.index.set_ef(32)
        self.index.optimize(self.threads)

    def use(self, ef):
        self.index.set_ef(ef)

    def search(self, queries):
        ids, scores = self.index.batch_search(queries, NEIGHBOURS, self.threads)
        return ids.reshape(len(queries), -1), scores


# For each kind: its class and the degrees that are tried (links per node and level; for IVF lists per root of the rows).
KINDS = {
    "hnswlib": (Hnswlib, (12, 16, 24)),
    "faiss-hnsw": (Faiss, (12, 16, 24)),
    "faiss-hnsw-sq8": (Faiss, (12, 16, 24)),
    "faiss-ivf": (Faiss, (2, 4, 8)),
    "usearch-f32": (Usearch, (12, 16, 24)),
    "usearch-bf16": (Usearch, (12, 16, 24)),
    "usearch-i8": (Usearch, (12, 16, 24)),
    "svs-lvq4x8": (Svs, (12, 16, 32)),
    "svs-leanvec": (Svs, (12, 16, 32)),
    "zvec-f32": (Zvec, (12, 16, 24)),
    "zvec-int8": (Zvec, (12, 16, 24)),
    "glass-4bit": (Glass, (12, 16, 24)),
    "glass-8bit": (Glass, (12, 16, 24)),
}


class Case:
    """What a peer is built from, and how long that took."""

    def __init__(self, kind, degree, folder, metric, build_threads, threads, cache):
        self.kind, self.degree, self.folder, self.metric = kind, int(degree), folder, metric
        self.build_threads, self.threads, self.cache = int(build_threads), int(threads), cache
        self.rows, self.dimension = np.load(folder + "/base.npy", mmap_mode="r").shape
        self.was_cached = False

    def base(self):
        return np.load(self.folder + "/base.npy", mmap_mode="r")

    def build(self, name, build):
        """Runs build(path) unless an earlier run or another kind left its result; says whether it ran it."""
        self.path = os.path.join(self.cache, name)
        note = self.path + ".json"
        if os.path.exists(note):
            with open(note) as f:
                self.built = json.load(f)
            self.was_cached = True
            return False
        np.asarray(self.base()).max()  # read before the clock starts
        start, cpu = time.perf_counter(), time.process_time()
        build(self.path)
        self.built = {"build_s": round(time.perf_counter() - start, 2),
                      "build_cpu_s": round(time.process_time() - cpu, 2), "build_threads": self.build_threads}
        with open(note, "w") as f:
            json.dump(self.built, f)
        return True


def anonymous_bytes():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon"))


def main():
    # The libraries print where they like; results keep the real standard output for themselves.
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(value):
        results.write(json.dumps(value) + "\n")

    case = Case(*sys.argv[1:])
    queries = np.load(case.folder + "/queries.npy")
    truth = np.load(case.folder + "/truth.npy")
    before = anonymous_bytes()
    peer = KINDS[case.kind][0](case)
    memory = max(0, anonymous_bytes() - before) / case.rows
    say({"ready": True, "cached": case.was_cached, "bytes_per_vector": round(memory), **case.built})
    first = True
    for _ in sys.stdin:
        if first and hasattr(peer, "before_passes"):
            peer.before_passes()
        first = False
        peer.use(peer.settings[0])
        peer.search(queries[:WARM_UP])
        for setting in peer.settings:
            peer.use(setting)
            start, cpu = time.perf_counter(), time.process_time()
            ids, _scores = peer.search(queries)
            seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
            right = recall(ids, truth)
            say({"setting": setting, "recall": round(right, 5), "qps": round(len(queries) / seconds, 1),
                 "cpu_qps": round(len(queries) / max(cpu_seconds, 1e-6), 1)})
            if right > 0.998 and not isinstance(setting, tuple):
                break
        say({"pass": True})


if __name__ == "__main__":
    main()
