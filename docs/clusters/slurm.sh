#!/bin/bash
# One study under Slurm: it records and leaves when its time is up or its node is wanted, and is sent again until the
# study's budget is spent.
#
#   HPO_STORAGE=postgresql://user:password@host/name STUDY=mystudy.yaml sbatch slurm.sh
#
#SBATCH --job-name=hpo
#SBATCH --time=04:00:00
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@60

srun hpo run --study "$STUDY" --workers "$SLURM_CPUS_PER_TASK" --grace 45 --wait
code=$?
if [ "$code" -eq 130 ]; then # stopped by a signal: there is more to do
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
