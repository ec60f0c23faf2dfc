"""What Hydra finds by itself: it accepts launchers and sweepers from packages below `hydra_plugins` only."""
