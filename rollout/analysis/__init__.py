"""What both slots do, measured and judged.

In: samples from Prometheus and mirrored requests. Out: a verdict for each gate and one decision.
"""
