"""Every error Tandem raises on purpose.

TandemError                  exit code 2, HTTP 500
├── InvalidInput             HTTP 400   a request or an option is wrong; the text says what would work
├── NotAllowed               HTTP 401   a key is missing or wrong; the text says which header carries it
├── DataRejected                        input data cannot be used; the text counts the rows and names the reasons
├── MissingArtifact                     an earlier step has not been run; the text names the command
└── BundleRefused            HTTP 503   a bundle is altered, mixed or of another contract version
"""


class TandemError(Exception):
    """Base of the tree; its text is written for the person who can fix it."""

    http_status = 500


class InvalidInput(TandemError):
    """A request field or a command option that cannot be served as asked."""

    http_status = 400


class NotAllowed(TandemError):
    """A request without the key that it needs."""

    http_status = 401


class DataRejected(TandemError):
    """Input data that no amount of dropping rows makes usable."""


class MissingArtifact(TandemError):
    """A file that an earlier pipeline step would have written."""


class BundleRefused(TandemError):
    """A bundle that must not be served."""

    http_status = 503
