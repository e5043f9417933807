"""The OpenSSF model signature of a bundle, which anybody checks with `model_signing verify key` and no code of ours.

It is over every file of the bundle, the manifest and our own signature too, and lies in model.sig. Made offline with a
key of one's own: no certificate, no entry in a public log. The library takes keys of the curves of NIST alone, so this
is another key than the Ed25519 one that servers trust. https://github.com/sigstore/model-transparency
"""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.bundle.files import MODEL_SIGNATURE
from contracts.errors import InvalidInput
from training.release.signing import NoteKey, Sign, not_noted, read_private, signer, write_private

CURVES = ("secp256r1", "secp384r1", "secp521r1")
PUBLIC_SUFFIX = ".pub"


def new_model_key(path: Path, note: NoteKey = not_noted) -> Path:
    """The file of the public key, next to a new private key (P-256, PEM) at path.

    Raises InvalidInput where one of both files exists already.
    """
    public = path.with_name(path.name + PUBLIC_SUFFIX)
    if public.exists():
        raise InvalidInput(f"{public} exists, and the public key would go there. Name another file.")
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_private(key, path, lambda: note(pem.decode()))
    public.write_bytes(pem)
    return public


def model_signer(path: Path) -> Sign:
    """What writes the model signature of a bundle, with the private key in a file.

    Raises MissingArtifact without the file and InvalidInput where it holds a key that the library does not take.
    """
    key = read_private(path, "tandem keys new-model")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in CURVES:
        raise InvalidInput(
            f"{path} is a key of another kind; model signatures take a key on P-256, P-384 or P-521 "
            "(`tandem keys new-model`)."
        )

    def sign(bundle: Path) -> None:
        from model_signing import hashing, signing  # a second and a half, for who signs

        files = hashing.Config().set_ignored_paths(paths=[MODEL_SIGNATURE], ignore_git_paths=False)
        config = signing.Config().use_elliptic_key_signer(private_key=path).set_hashing_config(files)
        config.sign(bundle, bundle / MODEL_SIGNATURE)

    return sign


def signers(key: Path | None, model_key: Path | None) -> Sign | None:
    """Both signatures in the order in which they are made, or None without a key.

    The model signature comes last: it is over our signature, too.
    """
    signs = ([signer(key)] if key else []) + ([model_signer(model_key)] if model_key else [])

    def sign(bundle: Path) -> None:
        for one in signs:
            one(bundle)

    return sign if signs else None
