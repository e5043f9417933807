"""A table of figures: what was measured, the bound, the aim."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One measured value with its bounds; None where there is none."""

    name: str
    value: float
    unit: str
    must: float | None = None
    aim: float | None = None
    higher_is_better: bool = False

    def verdict(self) -> str:
        """Which bound is kept."""
        if self.must is None:
            return ""
        if self.aim is not None and self._keeps(self.aim):
            return "aim reached"
        return "must reached" if self._keeps(self.must) else "NOT REACHED"

    def _keeps(self, bound: float) -> bool:
        return self.value >= bound if self.higher_is_better else self.value <= bound


@dataclass
class Table:
    """Figures in the order they were measured, printed as they come."""

    figures: list[Figure] = field(default_factory=list)

    def header(self) -> None:
        """Prints the names of the columns."""
        print(f"{'figure':<52} {'measured':>12} {'must':>9} {'aim':>9}")

    def add(self, figure: Figure) -> None:
        """Keeps and prints one figure."""
        self.figures.append(figure)
        must, aim = (_number(bound) for bound in (figure.must, figure.aim))
        measured = f"{_number(figure.value)} {figure.unit}"
        print(f"{figure.name:<52} {measured:>12} {must:>9} {aim:>9}  {figure.verdict()}", flush=True)

    def missed(self) -> list[str]:
        """Names of figures that must be better."""
        return [figure.name for figure in self.figures if figure.verdict() == "NOT REACHED"]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
