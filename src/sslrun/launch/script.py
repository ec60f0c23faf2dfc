"""The script for sbatch: an array with a task for each run, each put into the queue again where it crashes."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from sslrun.config.launcher import SlurmConfig
from sslrun.launch.job import SCRIPT, Job
from sslrun.runs.job import LOG

TASK = (
    f'if [ "$SLURM_PROCID" = 0 ]; then exec >> "$1/{LOG}"; else exec > "$1/log-rank$SLURM_PROCID.txt"; fi; '
    "trap : TERM USR1; "  # they are the run's to heed
    f'bash "$1/{SCRIPT}" 2>&1; code=$?; case $code in 2|3) echo $code > "$2" ;; esac; exit $code'
)
"""What each task of a run does, given the run folder and a file.

It writes its own log, since srun, which would carry the lines, may end before they arrive when a rank fails. Those of
further ranks hold their latest start only. A code that no other try mends goes into the file: srun tells that of the
ranks which it then killed."""


def array_script(jobs: Sequence[Job], config: SlurmConfig, *, output: Path) -> str:
    """The script for jobs of one shape.

    Args:
        output: folder for what SLURM itself has to say.
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
            *_run_and_try_again(config),
            "",
        ]
    )


def directive(name: str, value: object) -> str:
    """`#SBATCH --name=value`, quoted as sbatch reads it: in double quotes, a backslash before those and itself."""
    if value is True:
        return f"#SBATCH --{name}"
    text = str(value)
    if not re.fullmatch(r"[\w@%+=:,./-]+", text):
        text = '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    return f"#SBATCH --{name}={text}"


def _run_and_try_again(config: SlurmConfig) -> list[str]:
    srun = shlex.join(["srun", "--kill-on-bad-exit=1", *config.srun, "bash", "-c", TASK, "task"])
    return [
        "# a name of its own for each start: other nodes write it, and what was once absent may be remembered so",
        'told="$run/.exit-code-$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}"',
        'rm -f "$run"/.exit-code-*  # of a start that was put into the queue again, which ends this script',
        "code=0",
        f'{srun} "$run" "$told" || code=$?',
        'if [ -s "$told" ]; then code=$(cat "$told"); rm -f "$told"; fi',
        "# 0 finished, 2 a user's error, 3 stopped and saved: none of them is mended by another try",
        "case $code in 0|2|3) exit $code ;; esac",
        "# crashes of this submission at this checkpoint count; one that went on since is no loop",
        'saved=$(date -ur "$run/checkpoints/last.ckpt" +%FT%TZ 2> /dev/null || echo none)',
        'crash="job $job, last checkpoint $saved"',
        'echo "$(date -u +%FT%TZ) ended with code $code on $SLURM_JOB_NODELIST, $crash" >> "$run/crashes.txt"',
        f'if [ "$(grep -cF "$crash" "$run/crashes.txt")" -le {config.retries} ] '
        "&& scontrol show job \"$job\" | grep -q 'JobState=RUNNING'; then",
        '  scontrol requeue "$job"',
        "fi",
        "exit $code",
    ]
