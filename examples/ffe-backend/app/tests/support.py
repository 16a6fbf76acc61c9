"""A private PostgreSQL, images assembled as folders, and processes that run in them as a user without rights."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

APP = Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"
IMAGE_USER = 10001
POSTGRES_BIN = Path(os.environ.get("POSTGRES_BIN", "/usr/lib/postgresql/15/bin"))
# A password that has to be percent-encoded, and that must never be seen anywhere.
PASSWORD = "c@nary/S3cret:9"
PASSWORD_IN_URL = "c%40nary%2FS3cret%3A9"
KEY = "key-f0r-tests"


def as_user(uid):
    """The prefix that runs a command as another user; nothing when the tests are not root."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if os.geteuid() == 0 else []


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Postgres:
    """A server of its own in a temporary folder."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ffe-postgres-"))
        self.port = free_port()
        self.made = 0
        self.user = as_user(65534)
        if self.user:
            os.chown(self.folder, 65534, 65534)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            POSTGRES_BIN / "initdb", "-D", self.folder / "data", "-U", "ffe", "-A", "scram-sha-256",
            f"--pwfile={secret}", "-E", "UTF8", "--no-sync",
        )
        self.start()

    def _run(self, *command):
        subprocess.run([*self.user, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/")

    def start(self):
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off"
        self._run(
            POSTGRES_BIN / "pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", options, "start"
        )

    def stop(self):
        self._run(POSTGRES_BIN / "pg_ctl", "-D", self.folder / "data", "-w", "-m", "immediate", "stop")

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder)

    def new_database(self):
        """Makes an empty database and returns its name."""
        self.made += 1
        name = f"ffe{self.made}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return name

    def url(self, database, scheme="postgresql"):
        return f"{scheme}://ffe:{PASSWORD_IN_URL}@127.0.0.1:{self.port}/{database}"

    def connect(self, database):
        import psycopg2

        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user="ffe", password=PASSWORD, dbname=database
        )
        connection.autocommit = True
        return connection

    def sql(self, database, statement):
        """Executes a statement and returns its rows, none for one that has no rows."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


def images():
    """images.toml: its images by tag, and what is left out of all."""
    content = tomllib.loads((APP / "images.toml").read_text())
    return {image["tag"]: image for image in content["image"]}, content["exclude"]


class Image:
    """One image as a read-only folder, assembled by the rules that images.toml states."""

    def __init__(self, tag):
        known, exclude = images()
        self.image = known[tag]
        self.folder = Path(tempfile.mkdtemp(prefix=f"ffe-{tag}-"))
        self.root = self.folder / "app"
        shutil.copytree(APP, self.root, ignore=lambda _folder, names: [n for n in names if n in exclude])
        for revision in (self.root / "alembic/versions").iterdir():
            if revision.name not in self.image["revisions"]:
                revision.unlink()
        if "overlay" in self.image:
            shutil.copytree(APP / self.image["overlay"], self.root, dirs_exist_ok=True)
        for path in [self.folder, self.root, *self.root.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)

    def remove(self):
        for path in [self.folder, self.root, *self.root.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(self.folder)

    def environment(self, url, **more):
        environment = {"PATH": "/usr/bin:/bin", **self.image["env"]}
        if url is not None:
            environment["DATABASE_URL"] = url
        return {**environment, **more}

    def run(self, *command, url=None, **environment):
        """Runs a command to its end; nothing but its own output is looked at."""
        return subprocess.run(
            [*as_user(IMAGE_USER), *command], cwd=self.root, env=self.environment(url, **environment),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120,
        )

    def alembic(self, *arguments, url=None, **environment):
        return self.run("alembic", *arguments, url=url, **environment)


class Server:
    """The image's own command, on a free port, until the end of the `with`."""

    def __init__(self, image, url, workers=1, **environment):
        self.port = free_port()
        # Appending, because the position is shared with the process that writes.
        self.log = tempfile.TemporaryFile("a+")
        self.process = subprocess.Popen(
            [*as_user(IMAGE_USER), PYTHON, "-m", "uvicorn", "main:app", "--host", "127.0.0.1",
             "--port", str(self.port), "--workers", str(workers)],
            cwd=image.root, env=image.environment(url, **environment), stdout=self.log, stderr=self.log,
        )

    def __enter__(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.get("/live")[0] == 200:
                    return self
            except OSError:
                time.sleep(0.1)
        self.__exit__()
        raise AssertionError(f"the server did not start: {self.output()}")

    def __exit__(self, *_error):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self.output()
        self.log.close()

    def output(self):
        """Everything that was logged, after the end too."""
        if not self.log.closed:
            self.log.seek(0)
            self.logged = self.log.read()
        return self.logged

    def get(self, path, **headers):
        """Status, body and headers of a GET."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, json.load(error), error.headers
