"""Prints how far the consumer has read the log of its pod. It is run there: its text is handed to the pod's Python."""

import os
import sys

from contracts.events.log import INTERACTIONS
from serving.events.consumer import CONSUMER
from serving.events.open_log import open_log

if __name__ == "__main__":
    log = open_log(os.environ["TANDEM_EVENT_LOG"], INTERACTIONS, vouched=True)
    sys.stdout.write(f"{log.position(CONSUMER)}\n")
