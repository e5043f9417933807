"""Pages about the ingested data, for people: one file a topic, which measures it and says what it means."""
