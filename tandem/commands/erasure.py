"""A person's rights: what is stored of them, and how it is forgotten with proof."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tandem.commands.audit_option import AuditOption, open_audit
from tandem.commands.options import HERE, OPERATION, Root, open_project
from tandem.console import console

if TYPE_CHECKING:
    from contracts.erasure.receipt import Receipt
    from training.erasure.bundles import Renamed
    from training.workspace import Workspace

app = typer.Typer()
receipts = typer.Typer(no_args_is_help=True, help="Receipts of erasures.")
app.add_typer(receipts, name="receipt", rich_help_panel=OPERATION)
User = Annotated[str, typer.Argument(help="Id of the user, as in the event log.")]
LogOption = Annotated[
    str, typer.Option("--log", help="sqlite:///path or redis://host:port/db; default: data/events.db here.",
                      envvar="TANDEM_EVENT_LOG")
]  # fmt: skip
SignKey = Annotated[Path | None, typer.Option("--sign-key", help="Private key that signs receipt and bundles.")]


@app.command(rich_help_panel=OPERATION)
def erase(
    user: User,
    root: Root = HERE,
    log: LogOption = "",
    sign_key: SignKey = None,
    model_sign_key: Annotated[Path | None, typer.Option(help="Private key of the bundles' model signatures.")] = None,
    receipt: Annotated[Path | None, typer.Option(help="File that gets a copy of the receipt.")] = None,
    audit_log: AuditOption = None,
) -> None:
    """Take a person out of every store of this workspace, for good, and write a receipt.

    Event log, online store, shown lists, ingested tables, feature tables, training sets, and the lists of users in
    bundles. The id is refused from now on: at POST /events, and by every later ingest of the same files. Servers of
    this workspace forget it within a second.

    Example: tandem erase 1023 --sign-key signing.pem
    """
    from contracts.audit.audit_log import Actor
    from tandem.erasure import erase_everywhere
    from training.erasure.bundles import SigningKeys

    project = open_project(root)
    actor, keys = Actor("command line", socket.gethostname()), SigningKeys(sign_key, model_sign_key)
    done, renamed = erase_everywhere(project, user, log, keys, open_audit(root, audit_log), actor)
    _show(done)
    _show_renamed(project.workspace, renamed)
    if receipt:
        receipt.write_text(done.model_dump_json(indent=2) + "\n")


@app.command("export-user", rich_help_panel=OPERATION)
def export_user(
    user: User,
    root: Root = HERE,
    log: LogOption = "",
    out: Annotated[Path | None, typer.Option(help="File for the JSON; default: the screen.")] = None,
) -> None:
    """Write what is stored of a person, as JSON: posted events, features, shown lists and rows of the tables.

    Example: tandem export-user 1023 --out 1023.json
    """
    from tandem.erasure import everything_of
    from training.workspace import Workspace

    text = everything_of(Workspace(root.resolve()), user, log)
    if out:
        out.write_text(text + "\n", encoding="utf-8")
        console.print(f"  written to {out}", highlight=False, soft_wrap=True)
    else:
        typer.echo(text)


@receipts.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="Receipt of an erasure, as JSON.")],
    public_key: Annotated[
        str, typer.Option(help="Keys that are trusted, base64, by comma.", envvar="TANDEM_BUNDLE_PUBLIC_KEY")
    ],
    user: Annotated[str, typer.Option(help="Check too that the receipt is of this person; needs --root.")] = "",
    root: Root = HERE,
) -> None:
    """Whether a trusted key has signed the receipt, and nobody has changed it since.

    Example: tandem receipt verify receipt.json --public-key "$(cat signing.pub)"
    """
    from contracts.erasure.receipt import read_receipt
    from contracts.erasure.suppression import SuppressionList
    from contracts.errors import InvalidInput
    from serving.bundles.signature import public_keys
    from serving.erasure.receipts import check
    from training.workspace import Workspace

    try:
        found = read_receipt(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The receipt {file} cannot be read: {error}.") from error
    check(found, public_keys(public_key))
    if user and SuppressionList(Workspace(root.resolve()).erasures).pseudonym(user) != found.person:
        raise InvalidInput(f"The receipt is signed, and is not of the user {user!r} of this workspace.")
    console.print(f"  signed by a trusted key; erased at {found.erased_at}", highlight=False)


def _show(receipt: "Receipt") -> None:
    for one in receipt.stores:
        console.print(f"  {one.store}: {one.found:,}", highlight=False, soft_wrap=True)
    for bundle in receipt.bundles:
        console.print(
            f"  bundle {bundle.bundle_version} has learned from the person and retires on {bundle.retires_on}",
            highlight=False,
            soft_wrap=True,
        )
    for place in receipt.not_reached:
        console.print(f"  not touched: {place}", highlight=False, soft_wrap=True)
    console.print(f"  {receipt.note or 'signed'}", highlight=False, soft_wrap=True)


def _show_renamed(workspace: "Workspace", renamed: "list[Renamed]") -> None:
    """The bundles' new versions, and where an old one is still named."""
    from tandem.erasure import settings_naming

    for one in renamed:
        now = one.now.bundle_version
        if now == one.before:  # the id was in no file that the version is made of
            continue
        console.print(f"  bundle {one.before} is now {now}", highlight=False)
        for file in settings_naming(workspace, one.before):
            console.print(
                f"  {file} names {one.before}: write {now} there, or a server that starts with the file fails",
                highlight=False,
                soft_wrap=True,
            )
