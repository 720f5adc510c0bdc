"""A stage in a child of the warm process: as a plain one in all that is seen of it, and gone with whoever asked for it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from breakeven.jobs import start
from breakeven.jobs.locks import held, lock_of
from breakeven.jobs.termination import PARENT
from breakeven.jobs.warm import IMPORTS, SINGLE_THREAD
from breakeven.stages import STAGE
from tests.test_cli import SLOW

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux tells of the end of a process")
SPEC = '{"loader": "digits", "test_fraction": 0.2, "measured_fraction": 0.1, "seed": 0}'


class Warm:
    """A warm process, with a process in the place of its Snakemake."""

    def __init__(self, folder):
        self.path = folder / "warm" / "socket"
        self.path.parent.mkdir()
        self.snakemake = subprocess.Popen(["sleep", "600"])
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.path))
            listener.listen()
            descriptor, snakemake = str(listener.fileno()), str(self.snakemake.pid)
            command = [sys.executable, "-m", "breakeven.jobs.warm", str(self.path), descriptor, snakemake]
            self.process = subprocess.Popen(command, env=os.environ | SINGLE_THREAD, pass_fds=[listener.fileno()])

    def client(self, *arguments, **environment):
        """A client of it."""
        environment = {
            start.WARM: str(self.path),
            "OMP_NUM_THREADS": "1",
            PARENT: str(self.snakemake.pid),
        } | environment
        return subprocess.Popen(
            [sys.executable, "-I", "-S", start.__file__, *map(str, arguments)],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def children(self):
        return Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()

    def end(self):
        self.snakemake.kill()
        self.snakemake.wait()
        return self.process.wait(20)


@pytest.fixture
def warm(tmp_path):
    warm = Warm(tmp_path)
    yield warm
    warm.end()


def eventually(found, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def prepare(out):
    return ("prepare", "--spec", SPEC, "--location", "{}", "--out", out)


@pytest.fixture
def waiting(warm, tmp_path):
    """A client whose stage waits for a lock, in a child."""
    out = tmp_path / "data"
    out.mkdir()
    with held(lock_of(out / "manifest.json"), "holding it"):
        client = warm.client(*prepare(out))
        [child] = eventually(warm.children)
        assert "waiting until it has ended" in client.stderr.readline()
        yield client, int(child)
    client.wait(20)


def is_there(process):
    return Path(f"/proc/{process}").exists()


def test_the_same_bytes_as_the_plain_command(warm, tmp_path):
    outs = [tmp_path / name for name in ("plain", "warm")]
    plain = warm.client(*prepare(outs[0]), **{start.WARM: ""})
    client = warm.client(*prepare(outs[1]))
    [child] = eventually(warm.children)
    assert int(child) != client.pid
    said = [process.communicate(timeout=60)[1] for process in (plain, client)]
    assert plain.returncode == client.returncode == 0
    assert said[0].replace("/plain", "/warm") == said[1]
    for name in ("data.safetensors", "manifest.json"):
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes()


@pytest.mark.parametrize("arguments", [["check", "no.yaml"], ["train"], ["nonsense"], ["--help"], ["status", "x"]])
def test_words_and_exit_codes_of_the_plain_command(warm, arguments):
    plain = subprocess.run([sys.executable, "-m", "breakeven", *arguments], capture_output=True, text=True, check=False)
    client = warm.client(*arguments)
    assert client.communicate(timeout=60) == (plain.stdout, plain.stderr)
    assert client.returncode == plain.returncode


def test_standard_input_folder_and_environment_are_those_of_the_client(warm, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    command = [
        sys.executable,
        "-I",
        "-S",
        start.__file__,
        "prepare",
        "--spec",
        "-",
        "--location",
        "{}",
        "--out",
        "here",
    ]
    environment = os.environ | {start.WARM: str(warm.path), "PYTHONPATH": str(Path.cwd())}
    subprocess.run(command, input=SPEC, text=True, cwd=folder, env=environment, check=True)
    assert (folder / "here/manifest.json").is_file()


def test_what_lies_in_the_working_folder_is_not_imported(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    for name in ("random.py", "tqdm.py", "torch.py"):
        (tmp_path / name).write_text("raise ValueError('mine')", encoding="utf-8")
    warm = Warm(tmp_path)
    client = warm.client(*prepare(tmp_path / "out"))
    assert (client.wait(60), warm.end()) == (0, 0)


def test_a_signal_reaches_the_stage(waiting):
    client, child = waiting
    client.terminate()
    assert client.wait(10) == 128 + signal.SIGTERM
    assert not is_there(child)


def test_a_signal_is_not_lost_while_a_child_begins(warm, tmp_path):
    """At once when there is a child, which is still at what comes before the stage."""
    for _ in range(20):
        client = warm.client(*prepare(tmp_path / "out"))
        eventually(warm.children)
        client.terminate()
        assert client.wait(5) != 0
        eventually(lambda: not warm.children())


def test_ctrl_c_is_left_to_the_child(waiting):
    client, child = waiting
    client.send_signal(signal.SIGINT)
    os.kill(child, signal.SIGINT)  # as a terminal does
    assert client.wait(10) == 128 + signal.SIGINT


def test_a_child_that_is_killed_ends_its_client_likewise(waiting):
    client, child = waiting
    os.kill(child, signal.SIGKILL)
    assert client.wait(10) == -signal.SIGKILL


def test_a_client_that_is_killed_takes_its_child_along(waiting):
    client, child = waiting
    client.kill()
    eventually(lambda: not is_there(child))


def test_a_warm_process_that_is_killed_takes_all_along(warm, waiting):
    client, child = waiting
    warm.process.kill()
    assert client.wait(10) == 1
    assert "error: the warm process is gone that had started this stage\n" in client.stderr.read()
    eventually(lambda: not is_there(child))


def test_it_ends_with_its_snakemake_and_after_its_children(warm, waiting):
    _, child = waiting
    warm.process.send_signal(signal.SIGTERM)  # of a group of processes, whose jobs save what they have
    assert warm.end() == 0
    assert not is_there(child) and not warm.path.parent.exists()


def test_without_a_warm_process_the_stage_starts_plainly(warm, tmp_path):
    warm.end()
    client = warm.client(*prepare(tmp_path / "out"), **{PARENT: ""})
    assert client.wait(60) == 0
    assert (tmp_path / "out/manifest.json").is_file()


def test_several_threads_start_plainly(warm, tmp_path):
    """The libraries of the warm process have one."""
    out = tmp_path / "data"
    out.mkdir()
    with held(lock_of(out / "manifest.json"), "holding it"):
        client = warm.client(*prepare(out), OMP_NUM_THREADS="2")
        assert "waiting until it has ended" in client.stderr.readline()
        assert warm.children() == []
    assert client.wait(60) == 0


def test_what_is_no_request_is_refused(warm, tmp_path):
    for sent in (b"", b"\n", b"\nnonsense\n", b"\n{}\n"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(warm.path))
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(10) == b""
    assert warm.client("--help").wait(20) == 0


def test_no_module_of_the_package_is_there_before_and_none_in_vain():
    """What a stage's child finds imported: nothing of this package, so that an edit counts, and nothing that it doesn't need."""
    code = (
        "import sys, json, importlib, breakeven.jobs.warm as warm\n"
        "before = set(sys.modules)\n"
        "[importlib.import_module(name) for name in warm.IMPORTS[sys.argv[1]]]\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    for stage in ("train", "plot"):
        asked = subprocess.run([sys.executable, "-c", code, stage], capture_output=True, text=True, check=True)
        found = json.loads(asked.stdout)
        assert not [name for name in found if name.startswith("breakeven")]
        assert stage == "plot" or not SLOW & set(found)
    assert set(IMPORTS) <= set(STAGE)
