"""Reproductions: a paper's setting as a recipe, what it gave here, and the pages that say so.

`recipe.py` reads `recipes/NAME.toml`, `trial.py` trains and judges one seed, `ledger.py` keeps the results in
`results/NAME.jsonl`, `pages.py` writes RESULTS.md and the README's table from them.
"""
