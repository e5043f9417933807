"""Customer segments: fifths by rule, clusters by likeness, both in words."""

from training.data_report.clusters import LEAST, cluster, cluster_chart
from training.data_report.rfm import MEANING, Buyers, describe, segment_chart, segment_names
from training.pages.section import NO_PURCHASES, Section


def segment_section(buyers: Buyers | None) -> Section:
    """Segments from recency, frequency and money (RFM)."""
    title = "Customer segments"
    if buyers is None:
        return Section(title, note=NO_PURCHASES)
    labels = segment_names(buyers.table)
    return Section(
        title,
        charts=[segment_chart(buyers, labels)],
        groups=describe(buyers, labels, MEANING),
        note="Each buyer is in a fifth for recency, for frequency (baskets) and for money; the fifths decide the "
        "segment. “Typical” is the median.",
    )


def cluster_section(buyers: Buyers | None) -> Section:
    """What k-means finds without rules."""
    title = "Customer clusters"
    if buyers is None:
        return Section(title, note=NO_PURCHASES)
    clusters = cluster(buyers)
    if clusters is None:
        return Section(title, note=f"Fewer than {LEAST} buyers differ from each other: clusters would be chance.")
    return Section(
        title,
        charts=[cluster_chart(buyers, clusters)],
        groups=describe(buyers, clusters.labels, clusters.meaning),
        note="K-means on the logarithms of days since the last purchase, baskets and money. A silhouette near 1 means "
        "clear clusters, near 0 a continuum that was cut. Names compare with the typical buyer.",
    )
