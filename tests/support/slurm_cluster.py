"""A real SLURM on loopback for the tests: two nodes with two GPUs each, which are SLURM's to give but no hardware.

Everything lies in one folder and every daemon is a child of this process, so that all of it ends with the test run,
whichever way that ends. Only the link /etc/slurm/slurm.conf lies elsewhere: Snakemake starts the steps of a job without
the variables of SLURM, so that a configuration named by SLURM_CONF alone is not found. Where there is a real file of
that name, the machine has a SLURM of its own, and none is started. Needs root, for slurmd and for the device files.
"""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

NODES = ("n1", "n2")
GPUS = 2  # a node
LINK = Path("/etc/slurm/slurm.conf")
DAEMONS = ("munged", "slurmctld", "slurmd")
ACCOUNTING_DAEMONS = ("slurmdbd", "mariadbd", "mariadb-install-db")

# Why a line is there is said where it is not SLURM's default way of working.
SLURM_CONF = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A requeued job waits as long as a credential may live, two minutes by default.
AuthInfo=socket={root}/munge.socket,cred_expire=10
SlurmctldPort={ports[slurmctld]}
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool.%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.%n.pid
# No control groups: not every container has them. Memory is sampled each second, and a job above its own killed.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# Nodes have the cores and the memory that are written here, whatever the machine has.
SlurmdParameters=config_overrides
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
# Jobs of `urgent` take the place of those of `gpu`, which start again when there is room.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MinJobAge=900
KillWait=2
ReturnToService=2
SlurmdTimeout=15
MpiDefault=none
{accounting}
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[n1]} CPUs=8 RealMemory=64000 Gres=gpu:2
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[n2]} CPUs=8 RealMemory=64000 Gres=gpu:2
PartitionName=cpu Nodes=n[1-2] Default=YES MaxTime=1440 DefaultTime=10 PriorityTier=1
PartitionName=gpu Nodes=n[1-2] MaxTime=1440 DefaultTime=10 PriorityTier=1
PartitionName=urgent Nodes=n[1-2] MaxTime=1440 DefaultTime=10 PriorityTier=10
"""
ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[slurmdbd]}
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
# By this name SLURM takes the socket of MUNGE that its clients use towards slurmdbd.
AccountingStoragePass={root}/munge.socket"""
SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={ports[slurmdbd]}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[mariadbd]}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
PidFile={root}/slurmdbd.pid
"""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Record:
    """The accounting's record of one start of a job; a job that SLURM itself started anew has several.

    comment: which rule and wildcards it was submitted for. memory, limit: as asked for, e.g. 300M and minutes.
    """

    job: str
    state: str
    comment: str
    partition: str
    nodes: str
    granted: str
    memory: str
    limit: str
    start: str
    end: str

    @property
    def gpus(self) -> int:
        """GPUs that the job was given."""
        return sum(int(part.removeprefix("gres/gpu=")) for part in self.granted.split(",") if "gres/gpu=" in part)


RECORD = "JobIDRaw,State,Comment,Partition,NodeList,AllocTRES,ReqMem,TimelimitRaw,Start,End"


def missing_programs(accounting: bool) -> list[str]:
    """The daemons that this machine lacks."""
    wanted = DAEMONS + (ACCOUNTING_DAEMONS if accounting else ())
    return [name for name in wanted if shutil.which(name) is None]


def wait_for(what: str, find: Callable[[], Found], timeout: float = 60, interval: float = 0.5) -> Found:
    """Call `find` until what it returns is true, and return that. Raises TimeoutError that says `what` did not come."""
    deadline = time.monotonic() + timeout
    while not (found := find()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {timeout:.0f} s")
        time.sleep(interval)
    return found


@dataclass
class SlurmCluster:
    """The daemons of a cluster in `root`; `running_cluster` starts and stops them.

    accounting: with slurmdbd and MariaDB, so that `sacct` answers.
    """

    root: Path
    accounting: bool
    host: str = field(default_factory=lambda: socket.gethostname().split(".")[0])
    ports: dict[str, int] = field(default_factory=dict)
    daemons: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that talks to this cluster."""
        return {**os.environ, "SLURM_CONF": str(self.root / "slurm.conf")}

    def start(self) -> None:
        """Start everything and wait until both nodes are idle."""
        if LINK.exists() and not LINK.is_symlink():
            raise RuntimeError(f"{LINK} is there: this machine has a SLURM of its own; the tests start none beside it")
        self.root.mkdir(parents=True)
        (self.root / "state").mkdir()
        self.ports = _free_ports("slurmctld", "slurmdbd", "mariadbd", *NODES)
        self._configure()
        self._start_munge()
        if self.accounting:
            self._start_accounting()
        self._start("slurmctld", "slurmctld", "-D", "-i")
        for node in NODES:
            self.start_node(node)

    def start_node(self, node: str) -> None:
        """Start the slurmd of a node and wait until the node takes jobs."""
        self._start(node, "slurmd", "-D", "-N", node)
        states = ("sinfo", "-h", "-n", node, "-o", "%T")
        wait_for(f"node {node}", lambda: self.ask(*states).split()[:1] in (["idle"], ["mixed"]))

    def stop(self) -> None:
        """Cancel all jobs, and stop every daemon that was started, the last one first."""
        if "slurmctld" in self.daemons:
            subprocess.run(["scancel", "--user=root"], env=self.environment, timeout=30, check=False)
            with contextlib.suppress(TimeoutError, subprocess.CalledProcessError):
                wait_for("the end of all jobs", lambda: not self.ask("squeue", "-h"), timeout=30)
        for name in reversed(list(self.daemons)):
            _end(self.daemons.pop(name))
        if LINK.is_symlink() and LINK.readlink() == self.root / LINK.name:
            LINK.unlink()

    def ask(self, *command: str) -> str:
        """The output of a SLURM command."""
        run = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=True)
        return run.stdout.strip()

    def records(self, after: int = 0) -> list[Record]:
        """The accounting's records of all jobs with higher numbers than `after`, in the order of their starts."""
        lines = self.ask("sacct", "-D", "-X", "-n", "-P", "-a", "-S", "now-1day", f"--format={RECORD}").splitlines()
        found = [Record(*line.split("|")) for line in lines]
        return sorted((record for record in found if int(record.job) > after), key=lambda record: record.start)

    def last_job(self) -> int:
        """The number of the last job that was submitted, 0 before the first."""
        return max((int(record.job) for record in self.records()), default=0)

    def running(self, comment: str) -> str | None:
        """The number of the running job that was submitted for what the comment says."""
        lines = self.ask("squeue", "-h", "-t", "running", "-o", "%i %k").splitlines()
        return next((line.split()[0] for line in lines if line.split()[1:] == [comment]), None)

    def crash(self, node: str) -> None:
        """Kill the slurmd of a node, its job managers and all processes of its jobs at once, as a power cut would."""
        jobs = self.ask("squeue", "-h", "-w", node, "-t", "running", "-o", "%i").split()
        _end(self.daemons.pop(node), signal.SIGKILL)
        # The managers first: none of them is to report how its job ended.
        for pid in _processes(lambda command, _: any(command.startswith(f"slurmstepd: [{job}.") for job in jobs)):
            os.kill(pid, signal.SIGKILL)
        for pid in _processes(lambda _, variables: any(f"SLURM_JOB_ID={job}" in variables for job in jobs)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _configure(self) -> None:
        facts = {"root": self.root, "host": self.host, "ports": self.ports}
        accounting = ACCOUNTING if self.accounting else "AccountingStorageType=accounting_storage/none"
        (self.root / "slurm.conf").write_text(SLURM_CONF.format(**facts, accounting=accounting.format(**facts)))
        (self.root / "slurmdbd.conf").write_text(SLURMDBD_CONF.format(**facts))
        (self.root / "slurmdbd.conf").chmod(0o600)
        LINK.parent.mkdir(exist_ok=True)
        LINK.unlink(missing_ok=True)  # of a test run that was killed
        LINK.symlink_to(self.root / LINK.name)
        # SLURM hands out GPUs by device files; these are /dev/null by another name.
        for gpu in range(GPUS):
            os.mknod(self.root / f"gpu{gpu}", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        (self.root / "gres.conf").write_text(f"AutoDetect=off\nName=gpu File={self.root}/gpu[0-{GPUS - 1}]\n")

    def _start_munge(self) -> None:
        key = self.root / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {"socket": "munge.socket", "pid-file": "munge.pid", "seed-file": "munge.seed", "log-file": "munge.log"}
        options = [f"--{option}={self.root / name}" for option, name in files.items()]
        # Forced: other users cannot reach the folder of a test run, and need not.
        self._start("munged", "munged", "--foreground", "--force", f"--key-file={key}", *options)
        wait_for("MUNGE", lambda: (self.root / "munge.socket").is_socket())

    def _start_accounting(self) -> None:
        data, sock = self.root / "mariadb", self.root / "mariadb.socket"
        install = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db"]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL, timeout=120)
        options = ["--no-defaults", "--user=root", f"--datadir={data}", f"--socket={sock}", "--bind-address=127.0.0.1"]
        options += [f"--port={self.ports['mariadbd']}", "--innodb-lock-wait-timeout=900"]
        self._start("mariadbd", "mariadbd", *options)
        wait_for("MariaDB", sock.is_socket)
        hosts = ("127.0.0.1", "localhost")
        query = "".join(f"grant all on slurm_acct.* to slurm@'{host}' identified by 'slurm';" for host in hosts)
        subprocess.run(["mariadb", "--no-defaults", "-S", str(sock), "-e", query], check=True, timeout=60)
        self._start("slurmdbd", "slurmdbd", "-D")
        add = ["sacctmgr", "-i", "add", "cluster", "loopback"]
        wait_for("slurmdbd", lambda: subprocess.run(add, env=self.environment, capture_output=True).returncode == 0)

    def _start(self, name: str, *command: str) -> None:
        # Should this process be killed, so are the daemons.
        guarded = ["setpriv", "--pdeathsig", "KILL", *command]
        with (self.root / f"{name}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                guarded, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )


@contextlib.contextmanager
def running_cluster(root: Path, accounting: bool) -> Iterator[SlurmCluster]:
    """A cluster that is stopped at the end, also if starting it fails half-way."""
    cluster = SlurmCluster(root, accounting)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _free_ports(*names: str) -> dict[str, int]:
    """A port for each name that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in names}
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in sockets.items()}


def _end(process: subprocess.Popen, first: signal.Signals = signal.SIGTERM) -> None:
    process.send_signal(first)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _processes(choose: Callable[[str, list[str]], bool]) -> list[int]:
    """The processes whose command line and environment `choose` picks."""
    chosen = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            variables = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            if choose(command, variables):
                chosen.append(int(folder.name))
    return chosen
