"""What a competent engineer would try on a weekend, each as one small class with `fit` and `rank`."""
