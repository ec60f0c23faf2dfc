"""Jobs outside this process: command lines, run in local subprocesses or by SLURM. Imports no torch."""
