#!/bin/sh
#SBATCH --nodes=3 --exclusive --time=01:00:00 --signal=B:TERM@60
# One run on the nodes of a Slurm job: load from all nodes but the last, on which the contender runs.
#   sbatch slurm-hosts.sh payment-memory
# bakeoff and the scenario are on a file system that all nodes have. The results are in runs/JOB. A minute before the time
# limit bakeoff gets SIGTERM and ends its agents; `bakeoff run .. --resume runs/JOB` continues in another job.
mkdir -p runs
hosts="runs/$SLURM_JOB_ID.hosts.toml"
echo 'hosts = "slurm"' >"$hosts"
bakeoff doctor --hosts "$hosts" || exit
exec bakeoff run "${1:-payment-memory}" --hosts "$hosts" --out "runs/$SLURM_JOB_ID"
