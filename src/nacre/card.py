"""The model card of a run: what it is, what it was trained on, how to use it, how good it is."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nacre.engine.run import RunFolder


def cell(text: str) -> str:
    """Text in a cell of a Markdown table, where a bar would end it."""
    return text.replace("|", "\\|")


def model_card(run: "RunFolder") -> str:
    """The card of a finished run in Markdown, from its own files."""
    from nacre.registry import find

    config = run.config
    model = find(config["model"])
    data, training = config["data"]["data"], config["training"]
    rows = run.report
    metrics = "".join(f"| {row.name} | {row} | {cell(str(row.protocol))} |\n" for row in rows)
    best = config.get("best")
    weights = f" The weights are those of step {best['step']}, the best by {best['metric']}." if best else ""
    table = f"| metric | value | protocol |\n|---|---|---|\n{metrics}" if rows else "Not evaluated: `nacre evaluate`.\n"
    return f"""# {model.title} on {data["name"] or "your data"}

{model.paper}. Trained with nacre {config["versions"]["nacre"]}, torch {config["versions"]["torch"]}.

## Use

```python
import nacre

model = nacre.load("{run.path.name}")
x = model.sample(16, seed=0)  # {tuple(config["spec"]["shape"])} each
```

## Data

{data["name"] or "An array"}, split {data["split"]}, {data["n"]} examples, fingerprint {data["fingerprint"]}.

## Training

{training["steps"]} steps of {training["batch_size"]} examples, seed {training["seed"]}.{weights} To repeat it:

```
{run.command()}
```

## Evaluation

{table}"""
