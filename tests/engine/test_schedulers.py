"""The scripts of docs/clusters under stand-ins that send what Slurm, Kubernetes and Ray send, in the same order.

The real command runs in them: SIGTERM, so many seconds, SIGKILL; then the same again until it ends by itself. `srun`
and `scontrol` are small scripts on the path; what a real controller does beside that is not tested here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from killing import Campaign, check_fresh_runs

from hpo.search.store import attributes
from hpo.search.terms import registry

CLUSTERS = Path(__file__).parents[2] / "docs" / "clusters"
pytestmark = pytest.mark.skipif(not CLUSTERS.is_dir(), reason="runs in a checkout")
SMALL = {"budget": {"trials": 10}, "confirm": {"top": 1, "seeds": 2}, "pruner": "none"}


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """A study in the folder from which it is sent, with the programs of a scheduler's path beside it."""
    made = Campaign(tmp_path / "sent", SMALL, str(tmp_path / "sent" / "s.db"), pause=0.02)
    (made.folder / "bin").mkdir()
    for name, script in {
        "hpo": f'exec {shlex.quote(sys.executable)} -m hpo "$@"',
        "srun": 'setsid "$@" & echo $! > step\nwait $!',
        "scontrol": '[ "$1" = requeue ] && echo "$2" > requeued',
    }.items():
        file = made.folder / "bin" / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
    return made


def start(campaign: Campaign, words: Sequence[str], **variables: str) -> subprocess.Popen[bytes]:
    """A process of a session of its own, as a batch job or a container has."""
    environment = {
        **os.environ, "PATH": f"{campaign.folder}/bin:{os.environ['PATH']}", "PAUSE": str(campaign.pause),
        "LOG": str(campaign.log), "OMP_NUM_THREADS": "1", **variables,
    }  # fmt: skip
    with campaign._output.open("ab") as output:
        return subprocess.Popen(
            words, cwd=campaign.folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def signal_all(groups: Sequence[int], *numbers: int) -> None:
    for number in numbers:
        for group in groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)


def further(campaign: Campaign, process: subprocess.Popen[bytes], steps: int = 8) -> None:
    """Wait until it has trained some steps."""
    begin, end = len(campaign._steps()), time.monotonic() + 120
    while process.poll() is None and len(campaign._steps()) < begin + steps:
        assert time.monotonic() < end, campaign.told()
        time.sleep(0.01)


def all_is_there(campaign: Campaign) -> None:
    """Exact counts, whole curves, and no death held against a trial."""
    searched, fresh = campaign.trials_of("killed"), campaign.trials_of("killed (confirm)")
    assert len(searched) == SMALL["budget"]["trials"]
    assert len(fresh) == 2
    for trial in [*searched, *fresh]:
        assert trial.state.name == "COMPLETE" or trial.params["kind"] == "bad"
        assert list(trial.intermediate_values) == list(range(1, 10))
        assert not trial.user_attrs.get(attributes.ATTEMPTS)
    check_fresh_runs(campaign)


# --- Slurm ----------------------------------------------------------------------------------------------------------


def directives(script: Path) -> dict[str, str]:
    """What a script asks Slurm for."""
    found = re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", script.read_text(), re.MULTILINE)
    assert len(found) == script.read_text().count("#SBATCH")
    return dict(found)


def under_slurm(campaign: Campaign, events: Sequence[str]) -> tuple[int, int]:
    """Run the script as a job to which so many things happen; returns its last exit code and how often it ran."""
    script, left, ran = CLUSTERS / "slurm.sh", list(events), 0
    asked = directives(script)
    assert "requeue" in asked
    name, seconds = asked["signal"].split("@")
    requeued, step = campaign.folder / "requeued", campaign.folder / "step"
    while True:
        requeued.unlink(missing_ok=True)
        step.unlink(missing_ok=True)
        batch = start(
            campaign, ["bash", str(script)], SLURM_JOB_ID="7", SLURM_CPUS_PER_TASK="2", STUDY="killed.yaml",
            HPO_STORAGE=campaign.storage,
        )  # fmt: skip
        ran += 1
        event = left.pop(0) if left else ""
        if event:
            further(campaign, batch)
            groups = [int(step.read_text())]
            if event == "time":  # all processes of the step, so many seconds before the limit
                signal_all(groups, signal.Signals[f"SIG{name}"])
                patience = float(seconds)
            elif event == "preempted":  # with a GraceTime that is over at once
                signal_all(groups, signal.SIGCONT, signal.SIGTERM)
                patience = 0.05
            else:
                patience = 0.0
            with contextlib.suppress(subprocess.TimeoutExpired):
                batch.wait(patience)
            signal_all([*groups, batch.pid], signal.SIGKILL)
        code = batch.wait(timeout=300)
        by_slurm = event in ("preempted", "node")
        if not by_slurm and not requeued.exists():
            return code, ran
        assert by_slurm or code == 130, campaign.told()


def test_the_slurm_script_is_sent_again_until_the_budget_is_spent(campaign: Campaign) -> None:
    code, ran = under_slurm(campaign, ["time", "preempted"])
    assert code == 0, campaign.told()
    assert ran == 3
    all_is_there(campaign)


@pytest.mark.slow
def test_the_slurm_script_outlives_whatever_happens_to_its_job(campaign: Campaign) -> None:
    code, ran = under_slurm(campaign, ["preempted", "node", "time"] * 4)
    assert code == 0, campaign.told()
    assert ran > 6
    all_is_there(campaign)


def test_a_mistake_in_the_study_ends_the_slurm_job(campaign: Campaign) -> None:
    (campaign.folder / "killed.yaml").write_text("objective: nothing\n")
    assert under_slurm(campaign, []) == (2, 1)


# --- Kubernetes -----------------------------------------------------------------------------------------------------


def manifest(name: str) -> Any:
    return yaml.safe_load((CLUSTERS / name).read_text())


def action(policy: Mapping[str, Any], code: int, *, disrupted: bool) -> str:
    """What the Job's controller does about a pod that has ended: the first rule that fits, else it counts a failure."""
    for rule in policy["rules"]:
        codes = rule.get("onExitCodes")
        if codes is not None and codes["operator"] == "In" and code in codes["values"]:
            return str(rule["action"])
        if disrupted and {"type": "DisruptionTarget"} in rule.get("onPodConditions", []):
            return str(rule["action"])
    return "Count"


def under_kubernetes(campaign: Campaign, events: Sequence[str]) -> tuple[int, list[str]]:
    """Run the Job's container as pods to which so many things happen; returns the last exit code and all actions."""
    spec = manifest("job.yaml")["spec"]
    pod = spec["template"]["spec"]
    [container] = pod["containers"]
    words = [word.replace("/study/mystudy.yaml", "killed.yaml") for word in container["command"]]
    assert [variable["name"] for variable in container["env"]] == ["HPO_STORAGE"]
    left, actions = list(events), []
    while True:
        process = start(campaign, words, HPO_STORAGE=campaign.storage)
        event = left.pop(0) if left else ""
        if event:
            further(campaign, process)
            if event == "drained":  # the first process alone is told
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(pod["terminationGracePeriodSeconds"])
            signal_all([process.pid], signal.SIGKILL)
        code = process.wait(timeout=300)
        if code == 0:
            return code, actions
        code = code if code > 0 else 128 - code
        actions.append(action(spec["podFailurePolicy"], code, disrupted=bool(event)))
        if actions[-1] == "FailJob" or actions.count("Count") > spec["backoffLimit"]:
            return code, actions


def test_pods_of_the_kubernetes_job_are_replaced_and_none_counts_as_a_failure(campaign: Campaign) -> None:
    code, actions = under_kubernetes(campaign, ["drained", "node"])
    assert code == 0, campaign.told()
    assert actions == ["Ignore", "Ignore"]
    all_is_there(campaign)


def test_a_mistake_in_the_study_fails_the_kubernetes_job_at_once(campaign: Campaign) -> None:
    (campaign.folder / "killed.yaml").write_text("objective: nothing\n")
    assert under_kubernetes(campaign, []) == (2, ["FailJob"])


def test_the_kubernetes_manifests_have_what_their_kinds_require() -> None:
    job, ray = manifest("job.yaml"), manifest("rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert (ray["apiVersion"], ray["kind"]) == ("ray.io/v1", "RayJob")
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # a policy for failed pods takes no other
    cluster = ray["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert all(isinstance(value, str) for group in groups for value in group["rayStartParams"].values())
    assert all(group["minReplicas"] <= group["replicas"] <= group["maxReplicas"] for group in groups[1:])
    assert all(group["groupName"] for group in groups[1:])
    for spec in [pod, *(group["template"]["spec"] for group in groups)]:
        volumes = {volume["name"] for volume in spec["volumes"]}
        for container in spec["containers"]:
            assert container["name"]
            assert container["image"]
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            [storage] = container["env"]
            assert set(storage["valueFrom"]["secretKeyRef"]) == {"name", "key"}
    grace = next(words for words in [pod["containers"][0]["command"]])
    assert float(grace[grace.index("--grace") + 1]) < pod["terminationGracePeriodSeconds"]
    assert json.dumps([job, ray])  # nothing in them is read as a date or an object


# --- Ray ------------------------------------------------------------------------------------------------------------


def here(words: str) -> list[str]:
    """A command for a Ray cluster as one for this machine: what Ray does is tested with its executor."""
    local = words.replace("/study/mystudy.yaml", "killed.yaml").replace("mystudy.yaml", "killed.yaml")
    return shlex.split(re.sub(r"--workers \d+", "--workers 2", local.replace("--executor ray", "--executor processes")))


@pytest.mark.slow
def test_the_entrypoint_of_the_ray_job_goes_on_when_it_is_sent_again(campaign: Campaign) -> None:
    words = here(manifest("rayjob.yaml")["spec"]["entrypoint"])
    process = start(campaign, words, HPO_STORAGE=campaign.storage)
    further(campaign, process)
    signal_all([process.pid], signal.SIGTERM)
    assert process.wait(timeout=60) == 130, campaign.told()
    assert start(campaign, words, HPO_STORAGE=campaign.storage).wait(timeout=300) == 0, campaign.told()
    all_is_there(campaign)


def test_the_cluster_file_is_what_ray_takes() -> None:
    ray, jsonschema = pytest.importorskip("ray"), pytest.importorskip("jsonschema")
    schema = json.loads(Path(ray.__file__).with_name("autoscaler").joinpath("ray-schema.json").read_text())
    jsonschema.validate(manifest("cluster.yaml"), schema)


def test_every_hpo_command_of_the_scripts_takes_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [
        line[line.index("hpo ") :].split(" #")[0]
        for file in sorted(CLUSTERS.iterdir())
        for line in file.read_text().splitlines()
        if re.search(r"\bhpo run\b", line)
    ]
    assert len(commands) >= 3
    for command in commands:
        parser = argparse.ArgumentParser(exit_on_error=False)
        words = shlex.split(command)
        registry.load("command", words[1]).configure(parser)
        assert parser.parse_args(words[2:]).wait
