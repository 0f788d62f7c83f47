"""A fetch from the hub takes one copy of the weights, whole, pinned and checked; its errors name the remedy."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.base_kind import is_hub_id, snapshot_folder
from mosaicmr.diffusion.hub import files_to_fetch
from mosaicmr.errors import InputError
from mosaicmr.io import load_json
from tests.support.hub import COMMIT, Hub, serve_hub

MODEL = "owner/tiny-diffusion"
# As in Stable Diffusion 1.5: the weights several times over, and what no stage reads.
SUPERFLUOUS = (
    "README.md",
    "v1-5-pruned.ckpt",
    "v1-5-pruned.safetensors",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "vae/diffusion_pytorch_model.fp16.safetensors",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/pytorch_model.bin",
    "safety_checker/config.json",
    "safety_checker/model.safetensors",
    "feature_extractor/preprocessor_config.json",
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, stable_diffusion: Path) -> Path:
    """A tiny Stable Diffusion with all that is published beside what is read."""
    folder = shutil.copytree(stable_diffusion, tmp_path_factory.mktemp("published") / "model")
    for name in SUPERFLUOUS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"not to be read")
    return folder


@pytest.fixture
def hub(published: Path):
    with serve_hub(MODEL, published) as hub:
        yield hub


def fetch(
    hub: Hub, folder: Path, model: str = MODEL, commit: str = COMMIT, waits: bool = True
) -> subprocess.CompletedProcess:
    """Fetch in a process of its own: the hub library reads its environment when it is imported.

    waits: whether the hub library pauses between its attempts, half a minute in all.
    """
    program = "" if waits else "import time\ntime.sleep = lambda seconds: None"
    program += """
import sys
from mosaicmr.diffusion.hub import fetch_snapshot
from mosaicmr.errors import InputError
try:
    fetch_snapshot(*sys.argv[1:])
except InputError as error:
    sys.exit(str(error))
"""
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(folder.parent / "home")}
    command = [sys.executable, "-c", program, model, commit, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_one_copy_of_the_weights_is_fetched_and_can_be_read(hub: Hub, published: Path, tmp_path: Path):
    folder = tmp_path / "models" / "fetched"
    run = fetch(hub, folder)
    assert run.returncode == 0, run.stderr
    read = {path.relative_to(published).as_posix() for path in published.rglob("*") if path.is_file()}
    assert hub.sent() == read - set(SUPERFLUOUS)
    fetched = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert fetched == hub.sent() | {"origin.json"}
    origin = load_json(folder / "origin.json")
    assert (origin["model"], origin["revision"]) == (MODEL, COMMIT)
    for name, checksum in origin["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum
    assert origin["sha256"]
    base = Base.open(folder, ["T1"])
    assert not base.bundled
    assert base.name == MODEL
    assert base.load_unet().config.in_channels > base.codec.channels
    assert base.schedule.config.num_train_timesteps == 1000
    assert base.text_encoder(["oedema"])[0].shape[0] == 1


def test_a_fetch_that_was_cut_off_goes_on(hub: Hub, tmp_path: Path):
    folder = tmp_path / "fetched"
    assert fetch(hub, folder).returncode == 0
    # As if it had been killed before the last file came.
    shutil.rmtree(folder / "unet")
    folder.rename(tmp_path / ".partial-fetched")
    hub.asked.clear()
    assert fetch(hub, folder).returncode == 0
    assert {"unet/config.json", "unet/diffusion_pytorch_model.safetensors"} <= hub.sent()
    assert not (tmp_path / ".partial-fetched").exists()


def test_weights_that_arrive_damaged_are_refused_and_fetched_again(hub: Hub, published: Path, tmp_path: Path):
    name = "vae/diffusion_pytorch_model.safetensors"
    content = bytearray((published / name).read_bytes())
    content[-1] ^= 1
    hub.altered[name] = bytes(content)
    run = fetch(hub, tmp_path / "fetched")
    assert run.returncode != 0
    assert run.stderr.splitlines()[-1].startswith(f"{name} arrived with the SHA-256")
    assert not (tmp_path / "fetched").exists()
    hub.altered.clear()
    assert fetch(hub, tmp_path / "fetched").returncode == 0


@pytest.mark.parametrize(("model", "commit"), [("owner/nothing", COMMIT), (MODEL, "f" * 40)])
def test_what_the_hub_does_not_have_is_one_sentence(hub: Hub, tmp_path: Path, model: str, commit: str):
    run = fetch(hub, tmp_path / "fetched", model, commit)
    assert run.returncode != 0
    sentence = run.stderr.splitlines()[-1]
    assert sentence.startswith(f"base.model is the hub id '{model}' at the commit {commit}, which cannot be fetched")


def test_a_hub_out_of_reach_is_one_sentence(hub: Hub, tmp_path: Path):
    hub.shutdown()
    hub.server_close()
    run = fetch(hub, tmp_path / "fetched", waits=False)
    assert run.returncode != 0
    assert "run Snakemake where the hub can be reached, or name a folder" in run.stderr.splitlines()[-1]


def test_half_precision_and_shards_are_taken_where_there_is_nothing_else():
    names = ["model_index.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt"]
    names += [f"{part}/config.json" for part in ("vae", "unet", "text_encoder")]
    shards = [f"unet/diffusion_pytorch_model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    weights = ["vae/diffusion_pytorch_model.fp16.safetensors", "text_encoder/model.safetensors", *shards]
    weights.append("unet/diffusion_pytorch_model.safetensors.index.json")
    ignored = "unet/diffusion_pytorch_model.fp16.safetensors"
    assert files_to_fetch([*names, *weights, ignored]) == sorted(names + weights)


@pytest.mark.parametrize("part", ["vae", "unet", "text_encoder", "tokenizer", "scheduler"])
def test_a_model_without_a_readable_part_is_refused(published: Path, part: str):
    names = [path.relative_to(published).as_posix() for path in published.rglob("*") if path.is_file()]
    remaining = [name for name in names if not name.startswith(f"{part}/") or name.endswith((".bin", "/config.json"))]
    with pytest.raises(InputError, match=f"nothing readable in its part '{part}'"):
        files_to_fetch(remaining)


def test_only_hub_ids_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    assert is_hub_id(MODEL)
    for folder in (tmp_path, "models", "models/base", "nonsense", "a/b/c", "/nowhere/base"):
        assert not is_hub_id(folder)
        assert snapshot_folder({"model": str(folder), "revision": COMMIT}) is None
    assert snapshot_folder({"model": MODEL, "revision": COMMIT}) == f"models/owner--tiny-diffusion/{COMMIT}"


def test_a_hub_id_without_a_commit_is_refused():
    with pytest.raises(InputError, match="The key 'base.revision' is null"):
        snapshot_folder({"model": MODEL, "revision": None})
