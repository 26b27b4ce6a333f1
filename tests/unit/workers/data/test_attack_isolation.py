"""The attack's process cannot reach the network, dies with its parent, and inherits nothing of ours."""

import os
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from workers.attack.__main__ import why
from workers.attack.environment import prepare
from workers.attack.stopwords import STOPWORDS
from workers.runtime.errors import SourceError


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_connection_is_refused_in_the_process_itself() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        code = """
            import socket, sys
            from workers.attack.isolation import leave_network, NetworkRefused
            socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
            leave_network()
            tries = {
                "connect": lambda: socket.socket().connect(("127.0.0.1", int(sys.argv[1]))),
                "connect_ex": lambda: socket.socket().connect_ex(("127.0.0.1", int(sys.argv[1]))),
                "sendto": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
                "resolve": lambda: socket.getaddrinfo("localhost", 80),
                "unix": lambda: socket.socket(socket.AF_UNIX).connect("/tmp/none"),
            }
            for name, attempt in tries.items():
                try:
                    attempt()
                except NetworkRefused:
                    print(name, "refused")
            """
        done = run(code, port)
    assert done.stdout.split("\n")[:-1] == [
        f"{name} refused" for name in ("connect", "connect_ex", "sendto", "resolve", "unix")
    ], done


def test_a_child_of_the_process_has_no_network_where_the_kernel_lets_us() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        code = """
            import subprocess, sys
            from workers.attack.isolation import leave_network
            print(leave_network(), flush=True)
            child = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=5)"
            subprocess.run([sys.executable, "-c", child, sys.argv[1]])
            """
        done = run(code, port)
    if done.stdout.strip() != "True":
        pytest.skip("this kernel allows no user namespaces here: the process's own refusal is what is left")
    assert "Network is unreachable" in done.stderr


def test_the_process_ends_when_its_parent_does() -> None:
    code = """
        import time
        from workers.attack.isolation import exit_with_parent
        exit_with_parent()
        print("up", flush=True)
        time.sleep(50)
        """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        process.stdin.close()
        assert process.wait(timeout=30) == 3


def test_its_environment_holds_no_token_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFTWORK_TOKEN", "secret")
    environment = prepare(tmp_path)
    assert "secret" not in environment.values()
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert (tmp_path / "textattack" / "post_install_check_3").exists()
    words = (tmp_path / "nltk_data/corpora/stopwords/english").read_text().split()
    assert words == STOPWORDS.split()
    assert {"not", "no", "never", "the"} <= set(words)


def test_the_attack_itself_has_left_the_network(tmp_path: Path) -> None:
    """Whatever becomes of its task: the process refuses from its first line on."""
    code = """
        import socket, sys
        from pathlib import Path
        from workers.attack.__main__ import main
        main(Path("no-such-task"), Path(sys.argv[1]))
        socket.create_connection(("127.0.0.1", 9))
        """
    outcomes, said = tmp_path / "outcomes.json", tmp_path / "said"
    with (
        said.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(outcomes)],
            stdin=subprocess.PIPE,  # it ends when this is closed
            stderr=errors,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        ) as process,
    ):
        assert process.wait(timeout=60) == 1
    assert "NetworkRefused" in said.read_text()
    assert "FileNotFoundError" in outcomes.read_text()


def test_a_refusal_of_ours_leaves_the_process_in_its_own_words() -> None:
    assert why(SourceError("row 2: the prompt has 25 tokens")) == "row 2: the prompt has 25 tokens"


def test_of_another_exception_only_its_place_leaves_the_process() -> None:
    try:
        raise ValueError("the words of a row")
    except ValueError as error:
        told = why(error)
    assert re.fullmatch(r"ValueError at test_attack_isolation\.py:[0-9]+", told)
