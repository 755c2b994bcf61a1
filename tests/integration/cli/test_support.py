"""The file for whoever helps: what is in it, and that no secret is."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from streams.settings import Settings
from tests.support.journey import journey
from tests.support.workers import environment, free_port, workers

SECRETS = {
    "GENESYS_CLOUD_CLIENT_SECRET": "opensesame/Genesys+4711",
    "WORKER_API_KEY": "worker-key-Xy81-first,worker-key-Xy82-second",
    "CONSOLE_API_KEY": "console-key-Qq93",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20tok3n-of-the-collector",
    "HTTPS_PROXY": "http://me:proxy-pass-77@127.0.0.1:9",
}
NEVER = (
    "opensesame/Genesys+4711",
    "worker-key-Xy81-first",
    "worker-key-Xy82-second",
    "console-key-Qq93",
    "tok3n-of-the-collector",
    "proxy-pass-77",
)


def run(settings: Settings, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", "support", *words],
        env=environment(settings) | SECRETS,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def parts(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        files = {each.name: archive.extractfile(each) for each in archive.getmembers()}
        return {
            name.removeprefix("genesys-streams-support/"): file.read().decode()
            for name, file in files.items()
            if file is not None
        }


def forms(secret: str) -> tuple[str, ...]:
    """In which it would be looked for."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return secret, encoded[:-1], quote(secret, safe=""), json.dumps(secret)[1:-1]


async def test_it_has_all_that_is_asked_for_and_no_secret(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(
        worker_port=free_port(),
        kafka_session_timeout_seconds=6.0,
        worker_api_key=SecretStr(SECRETS["WORKER_API_KEY"]),
    )
    log = tmp_path / "of-the-worker.log"
    log.write_text("".join(f"refused: {form}\n" for each in NEVER for form in forms(each)))
    async with journey(settings, interactions=5, seed=1) as (centre, events):
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.send(events)
            await centre.all_published(60)
            done = await asyncio.to_thread(
                run, centre.settings, tmp_path, "--out", "it.tar.gz", "--log", str(log)
            )
            assert worker.terminate() == 0, worker.output
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE((tmp_path / "it.tar.gz").stat().st_mode) == 0o600
    found = parts(tmp_path / "it.tar.gz")

    for name, text in found.items():
        for each in NEVER:
            assert not [form for form in forms(each) if form in text], (name, each)
    assert found["logs/1-of-the-worker.log"].count("refused: ") == len(NEVER) * len(forms(""))
    assert json.loads(found["settings.json"])["WORKER_API_KEY"] == "set, not shown"
    assert json.loads(found["environment.json"])["HTTPS_PROXY"] == "set, not shown"
    topics = json.loads(found["topics.json"])["topics"]
    assert topics[centre.settings.topics.events]["partitions"] > 0
    positions = json.loads(found["group.json"])["positions"]
    assert sum(each["end"] for each in positions) >= len(events)
    (standing,) = json.loads(found["workers.json"])
    assert standing["standing"]["worker"] == worker.url
    assert "genesys_streams_build_info" in found["workers/1/metrics.txt"]
    assert {"workers/1/readyz.txt", "workers/1/healthz.txt"} <= set(found)
    assert "kafka" in [each["check"] for each in json.loads(found["doctor.json"])]
    names = [line.partition(":")[0] for line in found["contents.txt"].splitlines()]
    assert ["contents.txt", *names] == list(found)


async def test_a_file_that_is_there_is_left_and_nothing_is_asked(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    (tmp_path / "it.tar.gz").write_text("mine")
    done = await asyncio.to_thread(run, make_settings(), tmp_path, "--out", "it.tar.gz")
    assert done.returncode == 1
    assert "it.tar.gz is there already, and nothing was asked" in done.stderr
    assert (tmp_path / "it.tar.gz").read_text() == "mine"


async def test_what_does_not_answer_is_named_and_the_rest_is_there(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(
        kafka_bootstrap_servers=f"127.0.0.1:{free_port()}", worker_port=free_port()
    )
    done = await asyncio.to_thread(run, settings, tmp_path, "--out", "it.tar.gz")
    assert done.returncode == 1
    missing = {line.partition(":")[0] for line in done.stderr.splitlines()}
    assert missing == {"topics.json", "group.json", "workers.json", "workers/1/metrics.txt"}
    found = parts(tmp_path / "it.tar.gz")
    assert {"settings.json", "versions.json", "doctor.json", "topics.json.missing"} <= set(found)
    assert "no Kafka broker answered" in found["topics.json.missing"]


async def test_a_log_that_can_not_be_read_leaves_no_file(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    words = ("--out", "it.tar.gz", "--log", "nowhere.log")
    done = await asyncio.to_thread(run, make_settings(), tmp_path, *words)
    assert done.returncode == 1
    assert not (tmp_path / "it.tar.gz").exists()
    assert "nowhere.log can not be read: No such file or directory" in done.stderr
