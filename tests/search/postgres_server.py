"""A PostgreSQL server of one's own in a temporary folder, for tests and benchmarks."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager


def find_postgres():
    """Paths of ``initdb`` and ``pg_ctl``, also where Debian keeps them."""
    folders = [os.environ["PATH"], *glob.glob("/usr/lib/postgresql/*/bin")]
    programs = [
        shutil.which(name, path=os.pathsep.join(folders))
        for name in ("initdb", "pg_ctl")
    ]
    if None in programs:
        raise FileNotFoundError("no PostgreSQL server (initdb, pg_ctl) on this machine")
    return [os.path.realpath(program) for program in programs]


@contextmanager
def running_postgres(initdb, pg_ctl):
    """URL of a server that runs while the block does; not as root."""
    as_user = []
    with tempfile.TemporaryDirectory(prefix="skbreath-postgres-") as folder:
        if os.getuid() == 0:  # which PostgreSQL refuses to run as
            as_user = ["runuser", "-u", "postgres", "--"]
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def run(*command):
            subprocess.run(
                [*as_user, *command],
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
                timeout=60,
            )

        data = f"{folder}/data"
        run(initdb, "-D", data, "-A", "trust", "-U", "skbreath", "--locale=C.UTF-8")
        options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        run(pg_ctl, "-D", data, "-l", f"{folder}/log", "-w", "-o",
            f"{options} -p {port}", "start")  # fmt: skip
        try:
            yield f"postgresql+psycopg://skbreath@127.0.0.1:{port}/postgres"
        finally:
            run(pg_ctl, "-D", data, "-m", "immediate", "stop")
