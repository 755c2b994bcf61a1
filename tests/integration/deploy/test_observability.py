"""Alerts and dashboards name metrics that the running programs have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.settings import Settings
from tests.support.alerts import expressions, labels_in, metrics_in
from tests.support.journey import journey
from tests.support.workers import WorkerProcess, eventually, free_port, workers

# Three programs start one after the other.
pytestmark = pytest.mark.timeout(300)

# What a family's samples are called.
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}

# Of the labels of what has happened to nobody here.
PROMETHEUS_S_OWN = {"instance", "job"}


class Scraped:
    """The metrics of all programs. ``labels``: those of each sample, where there is one."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.labels: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, page: str) -> None:
        for family in text_string_to_metric_families(page):
            self.names |= {family.name + ending for ending in ENDINGS.get(family.type, ("",))}
            for sample in family.samples:
                self.labels[sample.name] |= sample.labels.keys()


async def scrape(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


async def test_every_metric_that_is_named_is_one_that_is_there(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(worker_port=free_port(), kafka_session_timeout_seconds=6.0)
    scraped = Scraped()
    async with journey(settings, interactions=30, seed=5) as (centre, events):
        with workers({"alone": centre.settings}, tmp_path) as started, ExitStack() as bridges:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.send(events)
            await centre.all_published(60)
            scraped.add(await scrape(worker.url))
            # Neither needs anything sent: what they count is there from the beginning.
            for command in (["http"], ["sqs", "--queue-url", QUEUE]):
                bridge = BridgeProcess(centre.settings, tmp_path / f"{command[0]}.log")
                bridges.callback(bridge.close)
                bridge.start("streams", "bridge", *command)
                await bridge.alive()
                scraped.add(await scrape(bridge.url))
            page = await scrape(worker.url)
            broken = [
                line
                for line in page.splitlines()
                if line.startswith("genesys_streams_invariant_violations_total")
            ]
            assert len(broken) == 3
            assert all(line.endswith(" 0.0") for line in broken), broken

    assert scraped.names >= {"process_resident_memory_bytes", "genesys_streams_build_info"}
    unknown = {
        (where, metric)
        for where, expression in expressions()
        for metric in metrics_in(expression) - scraped.names
    }
    assert unknown == set()
    unlabelled = {
        (where, metric, label)
        for where, expression in expressions()
        for metric, label in labels_in(expression)
        if metric in scraped.labels and label not in scraped.labels[metric] | PROMETHEUS_S_OWN
    }
    assert unlabelled == set()


# Nobody answers there.
QUEUE = "http://127.0.0.1:9/123456789012/events"


class BridgeProcess(WorkerProcess):
    """A bridge, on a port of its own."""

    def __init__(self, settings: Settings, log: Path) -> None:
        port = free_port()
        super().__init__(settings.model_copy(update={"bridge_port": port}), log)
        self.url = f"http://127.0.0.1:{port}"
        self._environment |= {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }

    async def alive(self) -> None:
        async def answers() -> bool:
            assert self.exit_code is None, self.output
            try:
                await scrape(self.url)
            except aiohttp.ClientError:
                return False
            return True

        await eventually(answers, 60, "the bridge answers")
