"""What must hold of an installation. A scenario is a function of the world that gives its figures, or raises."""
