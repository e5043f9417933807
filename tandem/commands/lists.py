"""Lists for all users as files, and what such a file is worth."""

from pathlib import Path
from typing import Annotated

import typer

from tandem.commands.options import HERE, OPERATION, Root, open_project
from tandem.console import console, propensity_tables, working

app = typer.Typer()


@app.command(rich_help_panel=OPERATION)
def batch(
    root: Root = HERE,
    output: Annotated[Path, typer.Option(help="File to write, .parquet or .csv.")] = Path("data/lists.parquet"),
    n: Annotated[int, typer.Option(min=1, max=1000, help="Length of each list.")] = 25,
    before_test: Annotated[
        bool, typer.Option(help="Lists as of the start of the test window, for evaluate-submission.")
    ] = False,
    most_likely_buyers: Annotated[
        int, typer.Option(min=0, help="Only this many users, the most likely to buy within the horizon; 0 takes all.")
    ] = 0,
    horizon_days: Annotated[
        int, typer.Option(min=1, max=28, help="Days after the lists' moment, for --most-likely-buyers.")
    ] = 3,
) -> None:
    """Lists for all users as a file: one row a user, user_id and products.

    With --most-likely-buyers the rows are the users whom a calibrated propensity model puts first, likeliest first.
    The model is measured on snapshots later than its training, and printed next to two simple orders of users.

    \b
    Example: tandem batch --n 25 --output lists.csv
             tandem batch --most-likely-buyers 3000 --n 25 --horizon-days 3 --output mail.parquet
    """
    from training.batch.lists import AsOf, moment_of, recommend_all, refuse_other_kinds, write_lists

    refuse_other_kinds(output)  # before the minutes that lists take
    project = open_project(root)
    as_of, chosen = AsOf.CUTOFF if before_test else AsOf.DATA_END, None
    if most_likely_buyers:
        from training.batch.propensity import most_likely_buyers as choose

        with working("propensity"):
            moment = moment_of(project.workspace, as_of)
            buyers = choose(project.workspace, most_likely_buyers, horizon_days, moment, project.settings.duckdb)
        propensity_tables(buyers, horizon_days, most_likely_buyers)
        chosen = buyers.user_ids
    with working("batch"):
        table = recommend_all(project.workspace, project.settings, n, as_of, chosen)
        write_lists(table, output)
    console.print(f"  {table.num_rows:,} users: {output}", highlight=False, soft_wrap=True)


@app.command(rich_help_panel=OPERATION)
def evaluate_submission(
    lists: Annotated[Path, typer.Argument(help="File with user_id and products, .parquet or .csv.")],
    root: Root = HERE,
    limit: Annotated[int, typer.Option(min=1, help="Longest list that is allowed.")] = 25,
    max_users: Annotated[int | None, typer.Option(min=1, help="Most users that are allowed.")] = None,
) -> None:
    """Mean recall per user of a file of lists on the test window; a missing user counts 0.

    Example: tandem batch --before-test --output lists.csv && tandem evaluate-submission lists.csv
    """
    from training.batch.lists import read_lists, submission_recall, truths_of_test_window

    submitted, truths = read_lists(lists), truths_of_test_window(open_project(root).workspace)
    recall = submission_recall(submitted, truths, limit, max_users)
    missing = len(truths.keys() - submitted.keys())
    console.print(f"recall {recall:.4f} over {len(truths):,} users, {missing:,} of them missing", highlight=False)
