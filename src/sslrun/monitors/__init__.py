"""Lightning callbacks that watch a run: probes, collapse, RankMe."""
