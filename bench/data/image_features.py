#!/usr/bin/env python3
"""A set of vectors that comes from no text model: gradient histograms of the pictures in Debian documentation packages.

    image_features.py OUT --cache DIR [--rows 100000] [--queries 2000]

Downloads a few documentation packages with many pictures (photographs, screenshots, plots) with apt-get, lays windows of
32 x 32 pixels over each picture, 16 apart, and describes each window by 4 x 4 cells with eight directions of the gradient
each: 128 numbers, unit length, clipped at 0.2, unit length again (the recipe of Lowe's SIFT descriptor, 2004, without its
key points), times 512. Flat windows and those that are equal to another are left out. Writes

    OUT/base.npy             float32 [rows, 128]     metrics that fit: euclidean, cosine
    OUT/queries.npy          float32 [queries, 128], from pictures that have no window in the base
    OUT/tuning-queries.npy   as many others, never timed

The order is that of a hash, so that any prefix is a fair sample and a run can be repeated. Needs numpy and Pillow.
"""
import argparse
import hashlib
import io
import os
import subprocess
import sys
import tarfile

import numpy as np

from docs_corpus import download

PACKAGES = ("gimp-help-en", "python-sklearn-doc", "python-scipy-doc", "python-statsmodels-doc", "octave-doc")
WINDOW, STRIDE, CELL, BINS = 32, 16, 8, 8
LARGEST = 1_200  # pixels of a side; larger pictures are made smaller
MOST_PER_PICTURE = 600
LEAST_GRADIENT = 4.0  # mean over the window, of 255


def pictures(deb):
    """(SHA-1, grey values) of the package's pictures, each once."""
    from PIL import Image
    Image.MAX_IMAGE_PIXELS = 50_000_000
    tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
    seen = set()
    with tarfile.open(fileobj=tar.stdout, mode="r|") as archive:
        for member in archive:
            if not member.isfile() or not member.name.lower().endswith((".png", ".jpg", ".jpeg")):
                continue
            data = archive.extractfile(member).read()
            key = hashlib.sha1(data).hexdigest()
            if key in seen:
                continue
            seen.add(key)
            try:
                picture = Image.open(io.BytesIO(data)).convert("RGBA")
            except (OSError, ValueError, Image.DecompressionBombError):
                continue  # not a picture that Pillow reads
            picture.thumbnail((LARGEST, LARGEST))
            white = Image.new("RGBA", picture.size, "white")
            yield key, np.asarray(Image.alpha_composite(white, picture).convert("L"), np.float32)
    if tar.wait() != 0:
        sys.exit(f"{deb}: dpkg-deb ended with {tar.returncode}")


def describe(grey):
    """float32 [windows, 128] of one picture."""
    rows, columns = (s // CELL * CELL for s in grey.shape)
    if min(rows, columns) < WINDOW:
        return np.empty((0, 128), np.float32)
    dy, dx = np.gradient(grey[:rows, :columns])
    size = np.hypot(dx, dy)
    # A direction between two bins counts for both.
    place = (np.arctan2(dy, dx) / (2 * np.pi) * BINS) % BINS
    low = np.floor(place).astype(int) % BINS
    part = place - np.floor(place)
    cells = np.empty((rows // CELL, columns // CELL, BINS), np.float32)
    for b in range(BINS):
        weight = size * (np.where(low == b, 1 - part, 0) + np.where((low + 1) % BINS == b, part, 0))
        cells[:, :, b] = weight.reshape(rows // CELL, CELL, columns // CELL, CELL).sum((1, 3))
    side, step = WINDOW // CELL, STRIDE // CELL
    windows = np.lib.stride_tricks.sliding_window_view(cells, (side, side), (0, 1))[::step, ::step]
    windows = np.moveaxis(windows, 2, -1).reshape(-1, side * side * BINS)
    windows = windows[windows.sum(1) >= LEAST_GRADIENT * WINDOW * WINDOW]
    for _ in range(2):
        windows = windows / np.linalg.norm(windows, axis=1, keepdims=True)
        windows = np.minimum(windows, 0.2)
    return (512 * windows / np.linalg.norm(windows, axis=1, keepdims=True)).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--cache", required=True, help="packages; may be removed afterwards")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=2_000)
    args = parser.parse_args()

    sides = {"base": {}, "queries": {}}
    for package, deb in download(PACKAGES, os.path.join(args.cache, "packages")).items():
        count = 0
        for picture, grey in pictures(deb):
            windows, found = describe(grey), {}
            for window in windows:
                # Equal to the eye is equal: screenshots show the same corners again and again.
                found[hashlib.sha1((window / 8).astype(np.uint8).tobytes()).digest()] = window
            few = sorted(found)[:MOST_PER_PICTURE]
            # One picture in sixteen is held out, whole.
            side = sides["queries" if picture[0] == "0" else "base"]
            side.update((key, found[key]) for key in few)
            count += len(few)
        print(f"{os.path.basename(deb)}: {count:,} windows", flush=True)
    base = np.array([sides["base"][k] for k in sorted(sides["base"])[:args.rows]])
    others = sorted(k for k in sides["queries"] if k not in sides["base"])[:2 * args.queries]
    asked = np.array([sides["queries"][k] for k in others])
    if len(base) < args.rows or len(asked) < 2 * args.queries:
        print(f"fewer than were asked for: {len(base):,} rows, {len(asked):,} queries", flush=True)
    os.makedirs(args.out, exist_ok=True)
    np.save(os.path.join(args.out, "base.npy"), base)
    np.save(os.path.join(args.out, "queries.npy"), asked[:args.queries])
    np.save(os.path.join(args.out, "tuning-queries.npy"), asked[args.queries:])
    print(f"{args.out}: base {base.shape}, queries {asked[:args.queries].shape}", flush=True)


if __name__ == "__main__":
    main()
