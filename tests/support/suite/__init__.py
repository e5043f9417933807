"""The test suite itself: what a file imports, which marks and which order follow."""
