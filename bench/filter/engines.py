"""The peers of filter.py, each with its index in a folder of its own. A search returns ids; metadata and text come with every hit."""
import json
import os
import time

os.environ.setdefault("RUST_LOG", "error")  # LanceDB warns at every search

BATCH = 2_000


def timed(build):
    cpu, wall = time.process_time(), time.perf_counter()
    build()
    return {"wall_s": round(time.perf_counter() - wall, 1), "cpu_s": round(time.process_time() - cpu, 1)}


def ranges(rows):
    return ((first, min(first + BATCH, rows)) for first in range(0, rows, BATCH))


class Qdrant:
    """Edge, float vectors in memory or with 8-bit codes that are scored again; payload indexes on every field."""
    efforts = [16, 32, 64, 100, 128, 200, 256, 400, 512]

    def __init__(self, folder, data, codes):
        import qdrant_edge as q
        self.q, self.codes = q, codes
        path = str(folder / ("qdrant-int8" if codes else "qdrant"))
        quantization = q.ScalarQuantizationConfig(q.ScalarType.Int8, always_ram=True) if codes else None
        config = q.EdgeConfig(vectors=q.EdgeVectorParams(size=data.dimension, distance=q.Distance.Cosine),
                              hnsw_config=q.HnswIndexConfig(m=16, ef_construct=200, full_scan_threshold=1000),
                              quantization_config=quantization, max_search_threads=1)
        if os.path.exists(path + "/done"):
            self.shard = q.EdgeShard.load(path, config)
        else:
            os.makedirs(path)
            self.shard = q.EdgeShard.create(path, config)
            print(path, json.dumps(timed(lambda: self.build(data))), flush=True)
            open(path + "/done", "w").close()
        os.makedirs(path + "-empty", exist_ok=True)
        self.nothing = q.EdgeShard.create(path + "-empty", config) if not os.listdir(path + "-empty") else \
            q.EdgeShard.load(path + "-empty", config)

    def build(self, data):
        q = self.q
        types = {"cat": q.PayloadSchemaType.Integer, "year": q.PayloadSchemaType.Integer,
                 "price": q.PayloadSchemaType.Float, "cluster": q.PayloadSchemaType.Integer}
        for field, kind in types.items():
            self.shard.update(q.UpdateOperation.create_field_index(field, kind))
        for first, end in ranges(data.rows):
            self.shard.update(q.UpdateOperation.upsert_points(
                [q.Point(i, data.vector(i), {**data.metadata(i), "text": data.texts[i]}) for i in range(first, end)]))
        self.shard.optimize()
        self.shard.flush()

    def condition(self, terms):
        q, must, must_not = self.q, [], []
        for field, op, value in terms:
            if op == "=":
                must.append(q.FieldCondition(field, match=q.MatchValue(value)))
            elif op == "not in":
                must_not.append(q.FieldCondition(field, match=q.MatchAny(value)))
            else:
                must.append(q.FieldCondition(field, range=q.RangeFloat(**{{"<": "lt", ">=": "gte"}[op]: value})))
        return q.Filter(must=must or None, must_not=must_not or None) if terms else None

    def request(self, vector, condition, effort):
        quantization = self.q.QuantizationSearchParams(rescore=True) if self.codes else None
        return self.q.QueryRequest(10, query=self.q.Query.Nearest(vector), filter=condition, with_payload=True,
                                   params=self.q.SearchParams(hnsw_ef=effort, quantization=quantization))

    def search(self, vector, condition, effort):
        return [p.id for p in self.shard.query(self.request(vector, condition, effort))]

    def empty(self, vector, condition, effort):
        return self.nothing.query(self.request(vector, condition, effort))


class Zvec:
    """HNSW over floats or 8-bit codes; inverted indexes with range optimisation on every field."""
    efforts = [16, 32, 64, 100, 128, 200, 256, 400, 512]

    def __init__(self, folder, data, codes):
        import zvec
        self.z = zvec
        path = str(folder / ("zvec-int8" if codes else "zvec"))
        quantization = {"quantize_type": zvec.QuantizeType.INT8} if codes else {}

        def schema():
            index = zvec.HnswIndexParam(metric_type=zvec.MetricType.COSINE, m=16, ef_construction=200, **quantization)
            ordered = zvec.InvertIndexParam(enable_range_optimization=True)
            fields = [zvec.FieldSchema(name, kind, index_param=ordered) for name, kind in
                      [("cat", zvec.DataType.INT64), ("year", zvec.DataType.INT64), ("price", zvec.DataType.DOUBLE),
                       ("cluster", zvec.DataType.INT64)]]
            return zvec.CollectionSchema(name="b", fields=[*fields, zvec.FieldSchema("text", zvec.DataType.STRING)],
                                         vectors=zvec.VectorSchema("v", zvec.DataType.VECTOR_FP32, data.dimension, index))
        if os.path.exists(path + ".done"):
            self.collection = zvec.open(path)
        else:
            self.collection = zvec.create_and_open(path, schema())
            print(path, json.dumps(timed(lambda: self.build(data))), flush=True)
            open(path + ".done", "w").close()
        self.nothing = zvec.open(path + "-empty") if os.path.exists(path + "-empty") else \
            zvec.create_and_open(path + "-empty", schema())

    def build(self, data):
        z = self.z
        for first, end in ranges(data.rows):
            for start in range(first, end, 1000):
                self.collection.insert([z.Doc(id=str(i), fields={**data.metadata(i), "text": data.texts[i]},
                                              vectors={"v": data.vector(i)}) for i in range(start, min(start + 1000, end))])
        self.collection.optimize(option=z.OptimizeOption(concurrency=2))
        self.collection.flush()

    def condition(self, terms):
        parts = [f"{field} not in ({', '.join(map(str, value))})" if op == "not in" else f"{field} {op} {value}"
                 for field, op, value in terms]
        return " and ".join(parts) or None

    def ask(self, collection, vector, condition, effort):
        return collection.query(queries=self.z.Query("v", vector=vector, param=self.z.HnswQueryParam(ef=effort)), topk=10,
                                filter=condition)

    def search(self, vector, condition, effort):
        return [int(d.id) for d in self.ask(self.collection, vector, condition, effort)]

    def empty(self, vector, condition, effort):
        return self.ask(self.nothing, vector, condition, effort)


class Lance:
    """IVF_HNSW_SQ with refining; scalar indexes (BTREE, BITMAP for few values); filters before the search."""
    efforts = [(5, 50, 1), (10, 50, 2), (20, 64, 2), (20, 100, 2), (40, 100, 4), (80, 200, 4), (200, 400, 10)]

    def __init__(self, folder, data, codes):
        import lancedb
        import pyarrow as pa
        self.pa = pa
        database = lancedb.connect(str(folder / "lancedb"))
        names = database.table_names()
        if "b" in names:
            self.table = database.open_table("b")
        else:
            print("lancedb", json.dumps(timed(lambda: self.build(database, data))), flush=True)
        self.nothing = database.open_table("none") if "none" in names else \
            database.create_table("none", self.rows(data, 0))

    def rows(self, data, count):
        pa = self.pa
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(data.base[:count].ravel(), pa.float32()), data.dimension)
        columns = {name: values[:count] for name, values in data.fields.items()}
        return pa.table({"id": pa.array(range(count), pa.int64()), "v": vectors,
                         "text": pa.array(data.texts[:count], pa.string()), **columns})

    def build(self, database, data):
        self.table = database.create_table("b", self.rows(data, data.rows))
        self.table.create_index(metric="cosine", vector_column_name="v", index_type="IVF_HNSW_SQ", m=16, ef_construction=200)
        for field, kind in [("cat", "BITMAP"), ("year", "BITMAP"), ("price", "BTREE"), ("cluster", "BITMAP")]:
            self.table.create_scalar_index(field, index_type=kind)

    condition = Zvec.condition

    def ask(self, table, vector, condition, effort):
        probes, ef, refine = effort
        query = table.search(vector, vector_column_name="v").distance_type("cosine").limit(10)
        if table is self.table:
            query = query.nprobes(probes).ef(ef).refine_factor(refine)
        if condition:
            query = query.where(condition, prefilter=True)
        return query.select(["id", "text", "cat", "year", "price", "cluster"]).to_arrow()

    def search(self, vector, condition, effort):
        return self.ask(self.table, vector, condition, effort)["id"].to_pylist()

    def empty(self, vector, condition, effort):
        return self.ask(self.nothing, vector, condition, effort)


ENGINES = {"qdrant": (Qdrant, False), "qdrant-int8": (Qdrant, True), "zvec": (Zvec, False), "zvec-int8": (Zvec, True),
           "lancedb": (Lance, False)}
