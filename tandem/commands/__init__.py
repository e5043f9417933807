"""The commands, one file a group; heavy libraries are imported inside them, so that `tandem --help` answers at once."""
