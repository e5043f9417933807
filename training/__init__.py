"""From raw files to a release bundle: ingest, features, point-in-time data sets, towers, ranker, evaluation."""
