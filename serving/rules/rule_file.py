"""The rules file of a server: read at start, read again when it has changed, and kept when a change is faulty."""

import logging
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry, Counter

from contracts.errors import InvalidInput, MissingArtifact, TandemError
from contracts.rules.rules import RuleSet, rule_set
from contracts.yaml_keys import load
from serving.bundles.bundle import LoadedBundle
from serving.rules.compile import NO_RULES, CompiledRules, compiled
from serving.runtime.file_stamp import FileChanges

LOOK_EVERY_SECONDS = 1.0


def read_rules(path: Path) -> RuleSet:
    """The rules of a YAML file.

    Raises MissingArtifact where there is none, and InvalidInput with all its faults.
    """
    try:
        return rule_set(load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise MissingArtifact(f"There is no rules file {path}. Write one or unset TANDEM_RULES.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"{path} cannot be read as YAML: {error}") from error
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error


class RuleBook:
    """The rules in force over whichever bundle answers."""

    def __init__(self, path: Path | None = None, registry: CollectorRegistry | None = None) -> None:
        """Raises MissingArtifact or InvalidInput: a server does not start with rules that it cannot keep."""
        self._path = path
        self._read = Counter(
            "tandem_rules_read_total", "Changes of the rules file, read or refused.", ["outcome"], registry=registry
        )
        self._rules = read_rules(path) if path else None
        self._changes = FileChanges(path, LOOK_EVERY_SECONDS, gone_counts=True) if path else None
        self._compiled: tuple[LoadedBundle, RuleSet, CompiledRules] | None = None

    def over(self, bundle: LoadedBundle) -> CompiledRules:
        """The rules with their names resolved in this bundle's catalogue."""
        self._read_if_changed()
        rules, known = self._rules, self._compiled
        if rules is None:
            return NO_RULES
        if known is None or known[0] is not bundle or known[1] is not rules:
            known = (bundle, rules, compiled(rules, bundle.items, bundle.vocabularies))
            self._compiled = known
            for fault in known[2].unknown:
                logging.getLogger(__name__).warning("%s", fault)
        return known[2]

    def _read_if_changed(self) -> None:
        if self._path is None or self._changes is None or not self._changes.happened():
            return
        try:
            self._rules = read_rules(self._path)
            outcome = "read"
        except TandemError as error:  # the old rules go on holding: a typing error must not change lists
            logging.getLogger(__name__).error("The changed rules are refused, the old ones hold: %s", error)
            outcome = "refused"
        self._read.labels(outcome).inc()
