"""Causes that need a cluster or a GPU, by the words that SLURM, its plugin for Snakemake and PyTorch use for them."""

import pytest

from mosaicmr.monitoring.causes import Evidence, likely_cause

STATUS = (
    "SLURM-job '12' failed, SLURM status is: '{}'. Reason: Unknown.For further error details see the cluster/cloud log"
)
STEP = "05:36:12 expert oedema: step 100 of 2000, loss 0.1234, about 60 s left\n"


def cause(own_log: str = STEP, other: str = "", rule: str = "finetune_expert") -> str:
    return likely_cause(Evidence(rule, own_log, other, {"mem_mb": 12000, "runtime": 720}))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("slurmstepd: error: *** JOB 5 ON n1 CANCELLED AT 2026-05-01T05:36:12 DUE TO TIME LIMIT ***", "time limit"),
        (STATUS.format("TIMEOUT"), "time limit (it asked for 720 minutes): raise `runtime` of finetune_expert"),
        ("slurmstepd: error: *** JOB 5 ON n1 CANCELLED AT 2026-05-01T05:36:12 DUE TO NODE FAILURE ***", "node failed"),
        (STATUS.format("NODE_FAIL"), "node failed"),
        ("slurmstepd: error: *** JOB 5 ON n1 CANCELLED AT 2026-05-01T05:36:12 DUE TO PREEMPTION ***", "another job"),
        (STATUS.format("PREEMPTED"), "another job"),
        ("slurmstepd: error: *** JOB 5 ON n1 CANCELLED AT 2026-05-01T05:36:12 ***", "was cancelled"),
        (STATUS.format("CANCELLED by 1000"), "was cancelled"),
        (
            "slurmstepd: error: Detected 1 oom_kill event in StepId=5.batch.",
            "more memory than there was (it asked for 12000",
        ),
        ("slurmstepd: error: Detected 1 oom-kill event(s) in StepId=5.0. Some of your processes may", "more memory"),
        ("slurmstepd: error: StepId=5.0 exceeded memory limit (314572800 > 104857600), being killed", "more memory"),
        (STATUS.format("OUT_OF_MEMORY"), "more memory"),
        ("ModuleNotFoundError: No module named 'peft'", "lacks the Python package 'peft': run `make venv`"),
        ("OSError: [Errno 122] Disk quota exceeded", "disk is full"),
        (
            "SLURM sbatch failed. The error message was 'sbatch: error: invalid partition specified: gpus\n"
            "sbatch: error: Batch job submission failed: Invalid partition name specified'.\n    sbatch call:",
            "SLURM refused the job (invalid partition specified: gpus): correct account, partition",
        ),
        ("SLURM sbatch failed. The error message was 'No such binary'.", "refused the job (No such binary): correct"),
    ],
)
def test_what_the_cluster_says_is_recognised(other: str, words: str):
    assert words in cause(other=other)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "The GPU's memory was not enough"),
        ("torch.AcceleratorError: CUDA error: out of memory", "The GPU's memory was not enough"),
        (
            "RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate",
            "more memory",
        ),
        ("numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.00 GiB for an array", "more memory"),
        ("KeyError: 'FLAIR'", "ended with KeyError: 'FLAIR'"),
    ],
)
def test_what_libraries_say_is_recognised(line: str, words: str):
    assert words in cause(own_log=f"{STEP}05:36:13 failed\nTraceback (most recent call last):\n{line}\n")


def test_a_sentence_for_the_user_is_given_as_it_is():
    sentence = (
        "Training of the expert 'oedema' gave a loss or gradient of nan in step 4 with experts.learning_rate 10: "
        "expected finite numbers; lower it, for example to 1."
    )
    assert cause(own_log=f"{STEP}05:36:13 error: {sentence}\n") == sentence


def test_the_scheduler_is_believed_before_the_job():
    other = "slurmstepd: error: *** JOB 5 ON n1 CANCELLED AT 2026-05-01T05:36:12 DUE TO TIME LIMIT ***\nKilled"
    assert "time limit" in cause(own_log=f"{STEP}KeyError: 'x'\n", other=other)


def test_a_group_that_the_cluster_did_not_take_is_told_so():
    refused = Evidence("extract_slices", "", "Error in group shards", {}, submitted=False)
    assert "did not take the group" in likely_cause(refused)


def test_only_a_training_goes_on_from_its_checkpoint():
    other = STATUS.format("NODE_FAIL")
    assert "last checkpoint" in cause(other=other)
    assert "checkpoint" not in cause(other=other, rule="extract_slices")


def test_words_that_only_look_like_a_cause_are_left_alone():
    assert cause() == "None is known for these lines: read the whole log."
    assert "error: " not in cause(other="sbatch: error: slurm_receive_msg timed out")
