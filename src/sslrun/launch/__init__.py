"""Jobs outside this process: plain command lines, run by local subprocesses or by SLURM. No torch."""
