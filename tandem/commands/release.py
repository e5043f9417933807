"""Which bundle serves here, and keys for bundles; on a cluster it is the rollout that decides (rollout.py)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tandem.commands.audit_option import AuditOption, note
from tandem.commands.options import HERE, OPERATION, Root
from tandem.console import console

if TYPE_CHECKING:
    from contracts.bundle.promotions import Promotion

app = typer.Typer()
keys = typer.Typer(no_args_is_help=True, help="Keys that bundles are signed with.")
app.add_typer(keys, name="keys", rich_help_panel=OPERATION)
NewKey = Annotated[Path, typer.Argument(help="File for the private key; it must not exist.")]
UrlOption = Annotated[str, typer.Option(help="Wait until the server at this address answers with it.")]


@app.command(rich_help_panel=OPERATION)
def promote(
    version: Annotated[str, typer.Argument(help="Version below bundles/.")],
    root: Root = HERE,
    url: UrlOption = "",
    force: Annotated[bool, typer.Option(help="Whatever its gate says.")] = False,
    audit_log: AuditOption = None,
) -> None:
    """Make a bundle the one that serves: servers of this folder change to it within a second or two.

    Exit code 2 where the bundle's own evaluation says that another list is better beyond chance.

    Example: tandem promote 3f4a0503dde1 --url http://127.0.0.1:8080
    """
    from contracts.bundle.promotions import promote as make_current
    from contracts.bundle.promotions import require_promotable
    from training.evaluation.gate import require_no_loss

    manifest = require_promotable(_bundles(root), version)
    if not force:
        require_no_loss(manifest.metrics)
    note(root, audit_log, "bundle.promote", version=version, force=force)
    _done("promoted", make_current(_bundles(root) / version), url)
    follow_in_registry(root)


@app.command(rich_help_panel=OPERATION)
def publish(
    version: Annotated[str, typer.Argument(help="Version below bundles/.")],
    to: Annotated[str, typer.Option(help="Folder or URL (s3://bucket/prefix) to copy it to.")],
    receipt: Annotated[
        Path | None, typer.Option(help="File that gets its URL; `tandem rollout start --bundle-file` reads it.")
    ] = None,
    root: Root = HERE,
    force: Annotated[bool, typer.Option(help="Whatever its gate says.")] = False,
) -> None:
    """Copy a sealed bundle to where a cluster's servers fetch it, the manifest last.

    Exit code 2 where the bundle's own evaluation says that another list is better beyond chance.

    Example: tandem publish 3f4a0503dde1 --to s3://shop/bundles
    """
    from contracts.bundle.manifest import read_manifest
    from training.evaluation.gate import require_no_loss
    from training.release.publish import publish as copy_to

    bundle = _bundles(root) / version
    if not force:
        require_no_loss(read_manifest(bundle).metrics)
    url = copy_to(bundle, to)
    if receipt:
        receipt.write_text(f"{url}\n", encoding="utf-8")
    console.print(f"  published {url}", highlight=False, soft_wrap=True)


def rollback_here(root: Path, to: str, url: str, audit_log: Path | None) -> None:
    """Goes back to the bundle that served before, or to version `to`; waits for the server at url, if one is given."""
    from contracts.bundle.promotions import rollback

    note(root, audit_log, "bundle.rollback", to=to or "the one before")
    change = rollback(_bundles(root), to or None)
    _done(f"rolled back from {change.rolled_back_from} to", change, url)
    follow_in_registry(root)


def follow_in_registry(root: Path) -> None:
    """MLflow's aliases after a change of what serves, once it has been made: nothing waits for them."""
    from training.registry import follow
    from training.workspace import Workspace

    if change := follow(Workspace(root.resolve())):
        console.print(f"  {change}", highlight=False, soft_wrap=True)


@keys.command("new")
def new(path: NewKey, root: Root = HERE, audit_log: AuditOption = None) -> None:
    """Make a key: the private half into a file, the public half onto the screen.

    Example: tandem keys new signing.pem
    """
    from training.release.signing import new_key

    public = new_key(path, lambda made: note(root, audit_log, "key.new", file=str(path), public_key=made))
    console.print(f"  private key: {path} (keep it where bundles are built)", highlight=False, soft_wrap=True)
    console.print(f"  TANDEM_BUNDLE_PUBLIC_KEY={public}", highlight=False, soft_wrap=True)


@keys.command("new-model")
def new_model(path: NewKey, root: Root = HERE, audit_log: AuditOption = None) -> None:
    """Make a key of OpenSSF model signatures, which `model_signing verify key` checks with the public half.

    Example: tandem keys new-model model-signing.pem
    """
    from training.release.model_signature import new_model_key

    public = new_model_key(path, lambda made: note(root, audit_log, "key.new", file=str(path), public_key=made))
    console.print(f"  private key: {path} (keep it where bundles are built)", highlight=False, soft_wrap=True)
    console.print(f"  public key: {public} (give it to who checks)", highlight=False, soft_wrap=True)


def _bundles(root: Path) -> Path:
    """Without reading params.yaml: a rollback must not wait for somebody's mended parameter."""
    from training.workspace import Workspace

    return Workspace(root.resolve()).bundles


def _done(what: str, change: "Promotion", url: str) -> None:
    from tandem.serving_version import wait_until_served

    console.print(f"  {what} {change.bundle_version}", highlight=False)
    if url:
        seconds = wait_until_served(url, change)
        console.print(f"  {url} answers with it after {seconds:.1f} s", highlight=False, soft_wrap=True)
