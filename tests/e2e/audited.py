"""Prints the audit log of its pod as JSON. It is run there: its text is handed to the pod's Python."""

import json
import os
import sys
from pathlib import Path

from contracts.audit.audit_log import entries_of, verified

if __name__ == "__main__":
    log = Path(os.environ["TANDEM_AUDIT_LOG"])
    entries = [json.loads(line) for _, line in entries_of(log)]
    sys.stdout.write(json.dumps({"fault": verified(log).fault, "entries": entries}) + "\n")
