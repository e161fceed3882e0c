"""Print a comparison. Tables refer to models by number, so that they stay narrow."""

from __future__ import annotations

import polars as pl
from rich.console import Console
from rich.table import Table

from twotower.comparison.claims import percent
from twotower.comparison.compared import Compared
from twotower.core.console import terminal
from twotower.core.numbers import human, p_value, score, signed
from twotower.reporting.metric_table import metric_table
from twotower.reporting.tables import number_table, print_whole, width_of
from twotower.types.metric_name import MetricName, shown_metrics

__all__ = ["print_compared"]

_FEW = 10  # pairs; more are shown only if they are significant
_SHOWN = 20  # rows of a table
_ACROSS = 6  # models shown as columns


def print_compared(compared: Compared) -> None:
    """Print models, pairs, breakdowns and notes, and the headline last."""
    console = terminal(soft_wrap=False)
    folds = f" of {compared.n_folds} folds" if compared.n_folds > 1 else ""
    title = f"{compared.metric}, {compared.n_users:,} users{folds}, "
    title += f"{compared.confidence:.0%} intervals"
    _print(console, title, _models(compared))
    if compared.models.height > _SHOWN:
        console.print(f"... and {compared.models.height - _SHOWN:,} more models")
    for line in (
        "size: parameters",
        f"group: not shown to differ from its best model (p after Holm > {compared.alpha})",
        f"{_within(compared)}: shown to be no worse than #1, within this margin\n",
    ):
        console.print(line, soft_wrap=True)
    _print_pairs(console, compared)
    _print_metrics(console, compared)
    title = f"{compared.metric} by length of the user's history (± half of the interval)"
    _print(console, title, _by_history(compared))
    if compared.popularity is not None:
        k = MetricName.parse(compared.metric).k
        title = f"recall@{k} of relevant pairs by the item's interactions in train"
        _print(console, title, _by_popularity(compared, compared.popularity))
    for note in compared.notes:
        console.print(f"Note: {note}.", soft_wrap=True)
    if compared.headline is not None:
        console.print(compared.headline, style="bold", soft_wrap=True)


def _models(compared: Compared) -> Table:
    models = compared.models.head(_SHOWN)
    table = number_table("#")
    longest = max(len(word) for name in models["name"] for word in name.split() or [""])
    table.add_column("model", overflow="fold", min_width=min(longest, 30))
    titles = ("mean", "interval", "seeds", "group", "p to #1", _within(compared), "size")
    for title in titles:
        table.add_column("\n".join(title.rsplit(" ", 1)), justify="right", no_wrap=True)
    for row in models.iter_rows(named=True):
        spread = "" if row["seed_spread"] is None else f"±{score(row['seed_spread'])} of "
        table.add_row(
            str(row["rank"]),
            row["name"],
            score(row["mean"]),
            f"{score(row['low'])}-{score(row['high'])}",
            f"{spread}{row['n_seeds']}",
            str(row["group"]),
            "" if row["p_best"] is None else p_value(row["p_best"]),
            "yes" if row["no_worse"] else "",
            "" if row["parameters"] is None else human(row["parameters"]),
        )
    return table


def _print_metrics(console: Console, compared: Compared) -> None:
    """Print the means of all metrics."""
    means = {(name, metric): mean for name, metric, mean in compared.metrics.iter_rows()}
    known = list(dict.fromkeys(metric for _, metric in means))
    shown = shown_metrics(known, compared.metric)
    if len(shown) < 2:
        return
    models = [
        (f"#{rank}", {metric: score(means[name, metric]) for metric in shown})
        for rank, name in compared.models.head(_SHOWN).select("rank", "name").iter_rows()
    ]
    print_whole(console, metric_table("all metrics", models, shown))


def _within(compared: Compared) -> str:
    return f"within {percent(compared.margin)}"


def _print_pairs(console: Console, compared: Compared) -> None:
    pairs, significant = compared.pairs, compared.pairs.filter("significant")
    if pairs.is_empty():
        return
    counts = f"{significant.height:,} of {pairs.height:,} pairs differ significantly"
    shown = pairs if pairs.height <= _FEW else significant
    if shown.is_empty():
        console.print(counts)
        return
    numbers = dict(compared.models.select("name", "rank").iter_rows())
    table = number_table("better", "worse", "difference", "interval", "p", "after Holm")
    for row in shown.head(_SHOWN).iter_rows(named=True):
        table.add_row(
            f"#{numbers[row['better']]}",
            f"#{numbers[row['worse']]}",
            score(row["difference"]),
            f"{signed(row['low'])} to {signed(row['high'])}",
            p_value(row["p"]),
            p_value(row["p_holm"]),
            style="" if row["significant"] else "dim",
        )
    _print(console, counts, table)
    if shown.height > _SHOWN:
        console.print(f"... and {shown.height - _SHOWN:,} more pairs")


def _by_history(compared: Compared) -> Table:
    """Return a table with a row per model and a column per group of users."""
    groups = compared.history.unique("n_seen", keep="first", maintain_order=True)
    table = number_table("", *groups["n_seen"])
    for rank, name in compared.models.head(_SHOWN).select("rank", "name").iter_rows():
        of_model = compared.history.filter(pl.col("name") == name)
        cells = of_model.select("mean", (pl.col("high") - pl.col("low")) / 2).iter_rows()
        table.add_row(f"#{rank}", *(score(mean, half) for mean, half in cells))
    table.add_row("users", *(f"{n:,}" for n in groups["n_users"]), style="dim")
    return table


def _by_popularity(compared: Compared, popularity: pl.DataFrame) -> Table:
    """Return a table with a row per group of items and a column per model."""
    models = compared.models.head(_ACROSS)
    numbers = [f"#{rank}" for rank in models["rank"]]
    table = number_table("interactions", "items", "pairs", *numbers)
    for group in popularity.partition_by("popularity", maintain_order=True):
        recalls = group["recall"].head(models.height)  # of the models in their order
        sizes = f"{group['n_items'][0]:,}", f"{group['n_pairs'][0]:,}"
        table.add_row(group["popularity"][0], *sizes, *map(score, recalls))
    return table


def _print(console: Console, title: str, table: Table) -> None:
    """Print `table` below `title`; too long a line is better than missing digits."""
    console.width = max(console.width, width_of(table, console).minimum)
    console.print(title, style="italic", soft_wrap=True)
    console.print(table)
