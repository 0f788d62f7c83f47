"""The shipped profile on a real SLURM, judged by SLURM's own records: the whole workflow, and killed experts."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mosaicmr.io import load_json
from tests.support.slurm_cluster import NODES, Record, SlurmCluster, wait_for
from tests.support.slurm_site import Site
from tests.support.tiny_models import make_tiny_base

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]

EXPERTS = ("necrosis", "oedema", "enhancing", "healthy1", "healthy2", "whole")
# Long enough to be killed on the way, with a checkpoint behind: most of a minute on a core of its own.
STEPS, CHECKPOINT = 2000, 50
# The rules that ask for a GPU, as the profile's comment says: all that trains or samples networks.
GPU_RULES = {
    *(
        "encode_latents",
        "embed_prompts",
        "embed_training_prompts",
        "adapt_base",
        "finetune_expert",
        "render_domains",
        "denoise_slices",
    ),
    *("synthesize_slices", "synthesize_prompt_sweep", "extract_features"),
    *("train_segmenter", "score_segmenter", "measure_mask_fidelity"),
}


def comment(expert: str) -> str:
    """The comment by which Snakemake names an expert's job to SLURM."""
    return f"rule_finetune_expert_wildcards_{expert}"


def weights(site: Site, expert: str) -> str:
    """The SHA-256 of an expert's weights."""
    return hashlib.sha256((site.results / "experts" / expert / "adapter_model.safetensors").read_bytes()).hexdigest()


def first_step(site: Site, expert: str) -> int:
    """The step from which the last attempt of an expert's training went on, from its log."""
    log = (site.results / "logs" / "finetune_expert" / f"{expert}.log").read_text()
    return int(re.search(rf"expert {expert}: steps (\d+) to {STEPS}", log)[1])


def targets(*experts: str) -> list[str]:
    """The targets of Snakemake that make these experts."""
    return [f"results/tiny/experts/{expert}/adapter_model.safetensors" for expert in experts]


def forget(site: Site, *experts: str) -> list[str]:
    """Delete experts, and return the targets that make them again."""
    for expert in experts:
        shutil.rmtree(site.results / "experts" / expert)
    return targets(*experts)


def wait_for_checkpoint(site: Site, expert: str) -> str:
    """Wait until a training has written a checkpoint, and return the number of its job."""
    path = site.results / "checkpoints" / expert / "checkpoint.safetensors"
    wait_for(f"a checkpoint of {expert}", path.is_file, timeout=600)
    return site.cluster.running(comment(expert))


def starts_of(records: list[Record], expert: str) -> list[Record]:
    return [record for record in records if record.comment == comment(expert)]


@dataclass
class Placements:
    """Places of running jobs under SLURM: node and number of the GPU by job, as `scontrol` says while they run."""

    cluster: SlurmCluster
    found: dict[str, tuple[str, str]] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        for line in self.cluster.ask("scontrol", "-d", "-o", "show", "job").splitlines():
            job = re.search(r"JobId=(\d+) ", line)
            placed = re.search(r"JobState=RUNNING .* Nodes=(\S+) .*GRES=gpu:1\(IDX:(\d)\)", line)
            if job and placed:
                self.found[job[1]] = (placed[1], placed[2])

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        def watch() -> None:
            while not self.done.wait(2):
                self.look()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.done.set()
            thread.join()


@dataclass(frozen=True)
class Finished:
    """A finished run of the whole workflow, what the accounting says of it, and where its jobs ran."""

    site: Site
    records: list[Record]
    placements: dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def cluster(start_cluster) -> Iterator[SlurmCluster]:
    with start_cluster(accounting=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def finished(cluster: SlurmCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    site = Site(
        cluster,
        tmp_path_factory.mktemp("work"),
        [f"experts={{steps: {STEPS}, checkpoint_every: {CHECKPOINT}}}"],
    )
    make_tiny_base(site.directory / "base")
    placements = Placements(cluster)
    with contextlib.ExitStack() as stack:
        stack.callback(site.stop)
        # Up to the experts first: with other jobs ready beside them, these would get some of the four GPUs.
        with placements.watched():
            site.run(*targets(*EXPERTS), timeout=2700)
        site.run(timeout=2700)
        yield Finished(site, cluster.records(), placements.found)


@pytest.fixture
def site(finished: Finished, tmp_path: Path) -> Iterator[Site]:
    """A copy of the finished run, to take apart."""
    site = finished.site.copy(tmp_path / "work")
    yield site
    site.stop()
    subprocess.run(["scancel", "--user=root"], env=site.cluster.environment, check=True, timeout=60)
    wait_for("the end of all jobs", lambda: not site.cluster.ask("squeue", "-h"))


def test_the_whole_workflow_runs(finished: Finished):
    assert load_json(finished.site.results / "summary.json")["run"] == "tiny"
    assert (finished.site.results / "report.html").is_file()
    assert {record.state for record in finished.records} == {"COMPLETED"}


def test_jobs_run_in_their_partition_and_those_with_networks_have_a_gpu(finished: Finished):
    for record in finished.records:
        rule = re.fullmatch(r"rule_(.*?)(_wildcards_.*)?", record.comment)[1]
        with_gpu = rule in GPU_RULES
        assert (record.partition, record.gpus) == (("gpu", 1) if with_gpu else ("cpu", 0)), record


def test_the_experts_train_at_the_same_time_on_gpus_of_their_own_on_both_nodes(finished: Finished):
    experts = [record for name in EXPERTS for record in starts_of(finished.records, name)]
    assert len(experts) == len(EXPERTS)
    busiest = max(
        ([other for other in experts if other.start <= record.start < other.end] for record in experts), key=len
    )
    assert len(busiest) == 4  # as many as there are GPUs
    places = [finished.placements[record.job] for record in busiest]
    assert sorted(places) == [(node, gpu) for node in NODES for gpu in ("0", "1")]
    assert all(finished.placements[record.job][0] == record.nodes for record in busiest)


def test_small_jobs_are_grouped_and_ask_for_the_sum_of_their_times(finished: Finished):
    patients = [record for record in finished.records if "build_phantom" in record.comment]
    assert len(patients) == 1
    assert patients[0].limit == str(6 * 15)  # six patients, a quarter of an hour each
    assert patients[0].memory == "3000M"
    assert not [record for record in finished.records if record.comment.startswith("rule_tessellate")]


def test_jobs_killed_for_memory_and_for_time_and_by_hand_run_again(site: Site, finished: Finished):
    cluster, before = site.cluster, site.cluster.last_job()
    # A site where one expert gets far too little memory, and all twice as much at each attempt.
    memory = "(500 if wildcards.domain == 'necrosis' else 4000) * 2 ** (attempt - 1)"
    settings = f'  finetune_expert: {{slurm_partition: gpu, gres: "gpu:1", mem_mb: "{memory}"}}'
    call = site.start(*forget(site, "necrosis", "oedema", "enhancing"), edits={"  finetune_expert: *gpu": settings})
    cluster.ask("scancel", wait_for_checkpoint(site, "enhancing"))
    job = wait_for_checkpoint(site, "oedema")
    cluster.ask("scontrol", "update", f"jobid={job}", "endtime=now+1")
    site.finish(call)
    records = cluster.records(before)

    killed, *_, last = starts_of(records, "necrosis")
    assert killed.state in ("OUT_OF_MEMORY", "FAILED", "CANCELLED by 0")
    assert (killed.memory, last.state) == ("500M", "COMPLETED")
    assert int(last.memory.removesuffix("M")) >= 1000
    # SLURM says why in the log of the job, which Snakemake keeps where a job failed.
    log = site.directory / ".snakemake" / "slurm_logs" / "rule_finetune_expert" / "necrosis" / f"{killed.job}.log"
    assert re.search("exceeded .*memory limit|oom.kill", log.read_text(), re.IGNORECASE)

    assert [record.state for record in starts_of(records, "oedema")] == ["TIMEOUT", "COMPLETED"]
    states = [record.state for record in starts_of(records, "enhancing")]
    assert [state.split()[0] for state in states] == ["CANCELLED", "COMPLETED"]
    for expert in ("oedema", "enhancing"):
        assert first_step(site, expert) > CHECKPOINT
    for expert in ("necrosis", "oedema", "enhancing"):
        assert weights(site, expert) == weights(finished.site, expert)


def test_a_preempted_job_and_one_whose_node_goes_down_go_on_elsewhere(site: Site, finished: Finished):
    cluster, before = site.cluster, site.cluster.last_job()
    call = site.start(*forget(site, "healthy1", "healthy2"))
    jobs = {expert: wait_for_checkpoint(site, expert) for expert in ("healthy1", "healthy2")}
    nodes = {expert: cluster.ask("squeue", "-h", "-j", job, "-o", "%N") for expert, job in jobs.items()}
    assert set(nodes.values()) == {"n1"}  # SLURM fills a node before it takes the next
    asked = ["--no-requeue", "--partition=urgent", "--nodelist=n1", "--gres=gpu:1", "--mem=100", "--output=/dev/null"]
    urgent = cluster.ask("sbatch", "--parsable", *asked, "--wrap=sleep 300")
    wait_for("the urgent job", lambda: cluster.ask("squeue", "-h", "-j", urgent, "-o", "%T") == "RUNNING")
    # One expert has made room; the other is still there when its node goes.
    left = cluster.ask("squeue", "-h", "-w", "n1", "-t", "running", "-o", "%i").split()
    running = next(expert for expert, job in jobs.items() if job in left)
    cluster.crash("n1")
    try:
        site.finish(call)
    finally:
        cluster.start_node("n1")

    for expert, job in jobs.items():
        first, last = starts_of(cluster.records(before), expert)
        # It was SLURM that started the job anew, and not Snakemake that submitted another.
        assert first.job == last.job == job
        assert first.state == ("NODE_FAIL" if expert == running else "PREEMPTED")
        assert (last.state, first.nodes, last.nodes) == ("COMPLETED", "n1", "n2")
        assert first_step(site, expert) > CHECKPOINT
        assert weights(site, expert) == weights(finished.site, expert)


def test_a_killed_snakemake_leaves_what_a_rerun_completes(site: Site, finished: Finished):
    cluster, before = site.cluster, site.cluster.last_job()
    wanted = forget(site, "whole")
    call = site.start(*wanted)
    job = wait_for_checkpoint(site, "whole")
    os.kill(call.pid, signal.SIGKILL)
    call.wait()
    assert cluster.running(comment("whole")) == job  # SLURM knows nothing of Snakemake's end
    # As docs/cluster.md tells a user to do: find and cancel the jobs that were left, unlock, and run again.
    mine = [line.split() for line in cluster.ask("squeue", "--me", "-h", "-o", "%i %j").splitlines()]
    left = [number for number, name in mine if name.startswith("mosaicmr_")]
    assert left == [job]
    cluster.ask("scancel", *left)
    wait_for("the end of the job", lambda: not cluster.ask("squeue", "-h"))
    site.run("--unlock")
    # With accounting, a site may have Snakemake ask that.
    site.run(*wanted, edits={"slurm-status-command: squeue": "slurm-status-command: sacct"})

    records = starts_of(cluster.records(before), "whole")
    assert [record.state.split()[0] for record in records] == ["CANCELLED", "COMPLETED"]
    assert first_step(site, "whole") > CHECKPOINT
    assert weights(site, "whole") == weights(finished.site, "whole")
