"""A SLURM of one node in a folder of its own, started and stopped by the tests; needs root, no systemd.

It shares nothing with a SLURM that may be installed here for use: own munge key and socket, own ports, own state.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol", "squeue", "sinfo")
STAND_IN = Path(__file__).parent / "bin"  # with a `sacct` that asks squeue: there is no accounting here

CONFIGURATION = """\
ClusterName=one_node
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=1000
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
MinJobAge=3600
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=16000 State=UNKNOWN
PartitionName=small Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class OneNodeSlurm:
    """The running cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{STAND_IN}:{os.environ['PATH']}:/usr/sbin:/sbin",
        }
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "OneNodeSlurm":
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        self.folder.chmod(0o755)
        host = socket.gethostname().split(".")[0]
        ports = {"controller_port": free_port(), "node_port": free_port()}
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(folder=self.folder, host=host, **ports))
        munge = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        try:
            options = [f"--{option}={self.folder}/munge.{ending}" for option, ending in munge.items()]
            self._start("munged", "--foreground", "--force", *options)
            self._until((self.folder / "munge.socket").exists)
            self._start("slurmctld", "-D", "-i")
            self._until(lambda: "UP" in self.call("scontrol", "ping", check=False))
            self._start("slurmd", "-D")
            self._until(lambda: self.call("sinfo", "--noheader", "--format=%T", check=False).strip() == "idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        """Cancel what runs, and stop the daemons, the first started last."""
        with suppress(subprocess.SubprocessError):
            self.call("scancel", "--user=root", check=False)
            self._until(lambda: not self.queue(), 20)
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(15)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons.clear()

    def call(self, *command: str, check: bool = True) -> str:
        """Run one of SLURM's commands and return what it prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=check, timeout=30)
        return done.stdout

    def queue(self) -> dict[str, str]:
        """Jobs that wait or run: id, with its array index, to state."""
        lines = self.call("squeue", "--noheader", "--array", "--format=%i %T", check=False).splitlines()
        return dict(line.split() for line in lines)

    def _start(self, *command: str) -> None:
        log = (self.folder / f"{command[0]}.out").open("wb")
        program = shutil.which(command[0], path=self.environment["PATH"])
        assert program is not None
        self._daemons.append(
            subprocess.Popen([program, *command[1:]], env=self.environment, stdout=log, stderr=log, cwd=self.folder)
        )
        log.close()

    def _until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not condition():
            dead = [daemon.args for daemon in self._daemons if daemon.poll() is not None]
            if dead or time.monotonic() > end:
                logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.out"))
                raise RuntimeError(f"SLURM did not start; ended: {dead}\n{logs}")
            time.sleep(0.1)


def missing() -> str | None:
    """Why no SLURM can be started here; None if one can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian's slurm-wlm and munge)"
    if sys.platform != "linux" or os.geteuid() != 0:
        return "SLURM's daemons need root"
    return None


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
