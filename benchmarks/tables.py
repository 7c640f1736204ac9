"""tabular-vae against the TVAE of the ctgan package on `adult`: equal epochs, judged by the same yardstick.

Its samples are judged as rows, like anybody's. It refuses missing values: a missing category is one of its own for it.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

import nacre
from machine import here, report
from nacre.data.dataset import Data

BATCH, LABEL, MISSING = 500, "income", "(missing)"


def ours(data: Data, epochs: int, seed: int) -> Callable[[int], Any]:
    """Train ours, and give what `nacre.evaluate` takes."""
    steps = epochs * (len(data) // BATCH)
    model = nacre.train(
        "tabular-vae",
        data,
        steps=steps,
        batch_size=BATCH,
        lr=2e-3,
        kl_warmup=0.2,
        precision="bf16",
        seed=seed,
        progress=False,
        doctor="off",
    )
    return lambda n: model


def theirs(folder: Path, epochs: int, seed: int) -> Callable[[int], Any]:
    """Train TVAE with its own defaults, and give what draws a table of samples."""
    import joblib
    import numpy as np
    import pandas as pd
    from ctgan import TVAE

    table = pd.read_parquet(folder / "train.parquet")
    categories = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    table[categories] = table[categories].astype(object).where(table[categories].notna(), MISSING)
    torch.manual_seed(seed)
    np.random.seed(seed)
    model = TVAE(batch_size=BATCH, epochs=epochs, enable_gpu=False)
    with joblib.parallel_config(backend="threading"):  # so that its processor time is that of this process
        model.fit(table, categories)

    def sample(n: int) -> str:
        rows = model.sample(n)
        rows[categories] = rows[categories].where(rows[categories] != MISSING, None)
        file = Path(tempfile.mkdtemp()) / "rows.parquet"
        rows.to_parquet(file)
        return str(file)

    return sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="adult: train.parquet and test.parquet")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--n", type=int, default=10_000, help="samples that are judged")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a .jsonl file to append to")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = nacre.load_data(str(options.folder), label=LABEL)
    for seed in options.seeds:
        for name, train in {"tabular-vae": partial(ours, data), "ctgan TVAE": partial(theirs, options.folder)}.items():
            began, cpu = time.perf_counter(), time.process_time()
            trained = train(options.epochs, seed)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            source = trained(options.n)
            results = nacre.evaluate(source, data, ["usefulness", "two_sample"], n=options.n)
            found = {result.name: result for result in results}
            useful, real = found["train_on_generated"], found["train_on_generated"].details
            report(
                {
                    "benchmark": "tables", "model": name, "seed": seed, "epochs": options.epochs, "batch": BATCH,
                    "train_seconds": round(seconds, 1), "train_cpu": round(cpu, 1), "threads": options.threads,
                    "train_on_generated": round(useful.value, 4), "macro_f1": round(real["macro_f1"], 4),
                    "references": {k: round(v, 4) for k, v in useful.references.items()},
                    "macro_f1_of_real": round(real["macro_f1 of real"], 4),
                    "two_sample": round(found["two_sample"].value, 4),
                    **here(),
                },
                options.out,
            )  # fmt: skip


if __name__ == "__main__":
    main()
