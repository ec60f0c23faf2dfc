"""The sbatch script: an array with a task per run, which is requeued if it crashes."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from sslrun.config.launcher import SlurmConfig
from sslrun.launch.job import SCRIPT, Job
from sslrun.runs.job import LOG

TASK = (
    f'if [ "$SLURM_PROCID" = 0 ]; then exec >> "$1/{LOG}"; else exec > "$1/log-rank$SLURM_PROCID.txt"; fi; '
    "trap : TERM USR1; "  # the run handles them
    f'bash "$1/{SCRIPT}" 2>&1; code=$?; case $code in 2|3) echo $code > "$2" ;; esac; exit $code'
)
"""Shell code of each task of a run; its arguments are the run folder and a file for the exit code.

Tasks write their own logs, since srun may end before forwarding their lines when a rank fails; logs of ranks above 0
cover the latest start only. Exit codes that make a retry useless go into the file, because srun returns that of the
ranks that it killed."""


def array_script(jobs: Sequence[Job], config: SlurmConfig, *, output: Path) -> str:
    """The script for jobs of one shape.

    Args:
        output: folder for SLURM's own messages.
    """
    options = {
        "job-name": f"sslrun-{jobs[0].arguments[0]}",
        "partition": config.partition,
        "account": config.account,
        "time": config.time,
        "nodes": jobs[0].nodes,
        "ntasks-per-node": jobs[0].tasks_per_node,
        "gpus-per-node": config.gpus_per_node,
        "cpus-per-task": config.cpus_per_task,
        "mem": config.mem,
        "array": f"0-{len(jobs) - 1}%{config.array_parallelism}",
        "signal": f"USR1@{config.signal_seconds}",
        "requeue": True,
        "open-mode": "append",
        "output": f"{output}/".replace("%", "%%") + "%A_%a.out",
        **{name.replace("_", "-"): value for name, value in config.sbatch.items()},
    }
    return "\n".join(
        [
            "#!/bin/bash",
            *(directive(name, value) for name, value in options.items() if value not in (None, False)),
            "runs=(",
            *(f"  {shlex.quote(str(job.folder))}" for job in jobs),
            ")",
            'run="${runs[$SLURM_ARRAY_TASK_ID]}"',
            'job="${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"',
            f'exec >> "$run/{LOG}" 2>&1',
            *config.setup,
            *_run_and_requeue(config),
            "",
        ]
    )


def directive(name: str, value: object) -> str:
    """`#SBATCH --name=value`, quoted as sbatch reads it: in double quotes, with `"` and `\\` escaped by a backslash."""
    if value is True:
        return f"#SBATCH --{name}"
    text = str(value)
    if not re.fullmatch(r"[\w@%+=:,./-]+", text):
        text = '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    return f"#SBATCH --{name}={text}"


def _run_and_requeue(config: SlurmConfig) -> list[str]:
    srun = shlex.join(["srun", "--kill-on-bad-exit=1", *config.srun, "bash", "-c", TASK, "task"])
    return [
        "# a new name for each start: other nodes write the file, and NFS may cache its absence",
        'code_file="$run/.exit-code-$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}"',
        'rm -f "$run"/.exit-code-*  # of an earlier start, which requeueing ended',
        "code=0",
        f'{srun} "$run" "$code_file" || code=$?',
        'if [ -s "$code_file" ]; then code=$(cat "$code_file"); rm -f "$code_file"; fi',
        "# 0 finished, 2 user error, 3 stopped and saved: a retry is useless",
        "case $code in 0|2|3) exit $code ;; esac",
        "# count crashes of this submission at this checkpoint only; after progress it is no crash loop",
        'saved=$(date -ur "$run/checkpoints/last.ckpt" +%FT%TZ 2> /dev/null || echo none)',
        'crash="job $job, last checkpoint $saved"',
        'echo "$(date -u +%FT%TZ) ended with code $code on $SLURM_JOB_NODELIST, $crash" >> "$run/crashes.txt"',
        f'if [ "$(grep -cF "$crash" "$run/crashes.txt")" -le {config.retries} ] '
        "&& scontrol show job \"$job\" | grep -q 'JobState=RUNNING'; then",
        '  scontrol requeue "$job"',
        "fi",
        "exit $code",
    ]
