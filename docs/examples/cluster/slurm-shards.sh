#!/bin/sh
#SBATCH --array=1-4 --nodes=1 --exclusive --requeue
# One run on many machines: a shard for each task of an array job, and a node for each shard.
#   sbatch slurm-shards.sh my.toml
#   bakeoff merge shards/* --out merged       in the same folder, when all tasks have ended
# A task that is requeued continues its shard on the node on which it began. On another one `--resume` is refused, because
# all rounds of a shard belong to one machine, and the shard begins again.
run="bakeoff run ${1:-my.toml} --rounds 12 --shard $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
out="shards/$SLURM_ARRAY_TASK_ID"
$run --resume "$out"; code=$?               # 2: nothing to resume, or another node
[ $code -eq 2 ] || exit $code
exec $run --order-seed 7 --out "$out" --force
