"""Real programs that tests start: Redis, an S3, our own server, a small disk. What is missing is said."""
