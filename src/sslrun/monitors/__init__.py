"""Lightning callbacks that monitor a run: probes, RankMe, collapse, held-out loss."""
