#!/usr/bin/env python3
"""Exports a sentence-transformers folder of the BERT family as ONNX (opset 20), without torch.

    export_onnx.py MODEL_DIR OUT.onnx

Inputs: input_ids and attention_mask, int64 [batch, sequence]. Output: embedding, float32 [batch, hidden]: pooled as the
folder says (mean or first token) and of unit length if the folder has a Normalize module.
Needs: numpy, onnx, safetensors.
"""
import json
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file


class Graph:
    """Nodes and constants, each node's output named after the node."""

    def __init__(self):
        self.nodes, self.constants, self.count = [], {}, 0

    def constant(self, name, value):
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def ints(self, *values):
        return self.constant("ints_" + "_".join(map(str, values)), np.array(values, dtype=np.int64))

    def op(self, kind, *inputs, name=None, **attributes):
        self.count += 1
        out = name or f"{kind}_{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out


def export(folder: pathlib.Path, target: pathlib.Path):
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    weights = {key.removeprefix("bert."): value.astype(np.float32) for key, value in weights.items()
               if np.issubdtype(value.dtype, np.floating)}
    hidden, heads, eps = config["hidden_size"], config["num_attention_heads"], config["layer_norm_eps"]
    g = Graph()

    def weight(name):
        return g.constant(name, weights[name])

    def dense(x, name):
        matrix = g.constant(name + ".weight_t", weights[name + ".weight"].T)
        return g.op("Add", g.op("MatMul", x, matrix), weight(name + ".bias"))

    def norm(x, name):
        return g.op("LayerNormalization", x, weight(name + ".weight"), weight(name + ".bias"), axis=-1, epsilon=eps)

    def split_heads(x, order):
        shaped = g.op("Reshape", x, g.ints(0, 0, heads, hidden // heads))
        return g.op("Transpose", shaped, perm=order)

    # Embeddings: word + position + token type 0.
    words = g.op("Gather", weight("embeddings.word_embeddings.weight"), "input_ids")
    length = g.op("Slice", g.op("Shape", "input_ids"), g.ints(1), g.ints(2), g.ints(0))
    positions = g.op("Slice", weight("embeddings.position_embeddings.weight"), g.ints(0), length, g.ints(0))
    types = g.constant("token_type_0", weights["embeddings.token_type_embeddings.weight"][0])
    x = norm(g.op("Add", g.op("Add", words, types), positions), "embeddings.LayerNorm")

    mask = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    one = g.constant("one", np.array(1, dtype=np.float32))
    low = g.constant("low", np.array(-10000, dtype=np.float32))
    bias = g.op("Mul", g.op("Sub", one, g.op("Unsqueeze", mask, g.ints(1, 2))), low)
    scale = g.constant("scale", np.array(np.sqrt(hidden // heads), dtype=np.float32))

    gelu = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
    for layer in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{layer}."
        q = split_heads(dense(x, p + "attention.self.query"), [0, 2, 1, 3])
        k = split_heads(dense(x, p + "attention.self.key"), [0, 2, 3, 1])
        v = split_heads(dense(x, p + "attention.self.value"), [0, 2, 1, 3])
        scores = g.op("Add", g.op("Div", g.op("MatMul", q, k), scale), bias)
        mixed = g.op("MatMul", g.op("Softmax", scores, axis=-1), v)
        mixed = g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), g.ints(0, 0, hidden))
        x = norm(g.op("Add", dense(mixed, p + "attention.output.dense"), x), p + "attention.output.LayerNorm")
        inner = dense(x, p + "intermediate.dense")
        if config["hidden_act"] == "relu":
            inner = g.op("Relu", inner)
        else:
            inner = g.op("Gelu", inner, approximate=gelu[config["hidden_act"]])
        x = norm(g.op("Add", dense(inner, p + "output.dense"), x), p + "output.LayerNorm")

    pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
    if pooling.get("pooling_mode_cls_token"):
        pooled = g.op("Squeeze", g.op("Slice", x, g.ints(0), g.ints(1), g.ints(1)), g.ints(1))
    else:
        column = g.op("Unsqueeze", mask, g.ints(2))
        total = g.op("ReduceSum", g.op("Mul", x, column), g.ints(1), keepdims=0)
        pooled = g.op("Div", total, g.op("ReduceSum", column, g.ints(1), keepdims=0))
    modules = json.loads((folder / "modules.json").read_text())
    if any(module["type"].endswith("Normalize") for module in modules):
        g.op("LpNormalization", pooled, name="embedding", axis=-1, p=2)
    else:
        g.op("Identity", pooled, name="embedding")

    shape = ["batch", "sequence"]
    graph = helper.make_graph(
        g.nodes, "bert",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", hidden])],
        list(g.constants.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, target)
    print(f"{target}: {len(g.nodes)} nodes, {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    export(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
