"""What the settings have decided: the code, the rules, and the records that are skipped."""

from __future__ import annotations

import pytest

from streams.core.conversations.policy import WrapUpPolicy
from streams.core.decision import Policy
from streams.settings import Settings
from tests.support.environments import Environment, refusal


class TestSkipRecords:
    @pytest.mark.parametrize(
        ("text", "records"),
        [
            ("", set()),
            (" , ,", set()),
            ("p.events/0/0", {("p.events", 0, 0)}),
            (
                " p.events / 3 / 17 ,\tp.retries/0/9223372036854775807,",
                {("p.events", 3, 17), ("p.retries", 0, 2**63 - 1)},
            ),
            ("p.events/007/01,p.events/7/1", {("p.events", 7, 1)}),
        ],
    )
    def test_are_read(
        self, environment: Environment, text: str, records: set[tuple[str, int, int]]
    ) -> None:
        environment(TOPIC_PREFIX="p.", SKIP_RECORDS=text)
        assert Settings.load().skipped_records() == frozenset(records)

    @pytest.mark.parametrize(
        "entry",
        [
            "p.events", "p.events/1", "p.events/1/2/3", "/1/2", "p.events//2", "p.events/1/",
            "p.events/-1/2", "p.events/+1/2", "p.events/1_0/2", "p.events/1/2.0", "p.events/a/2",
            "p.events/\u0661/2", "p.outcomes/1/2", "p.dead-letters/1/2", "events/1/2",
            "genesys.interaction.events/1/2", "p.events/2147483648/0",
            "p.events/0/9223372036854775808", f"p.events/0/{'9' * 5000}",
        ],
    )  # fmt: skip
    def test_an_entry_that_names_no_record_is_named_by_its_number(
        self, environment: Environment, entry: str
    ) -> None:
        environment(TOPIC_PREFIX="p.", SKIP_RECORDS=f"p.events/0/1,{entry}")
        message = refusal(Settings.load)
        assert message.startswith("SKIP_RECORDS: entry 2 ")
        assert message.isprintable()
        if len(entry) > 40:
            assert entry not in message


class TestDispositionCode:
    def test_is_required_unless_dry_run(self, environment: Environment) -> None:
        assert refusal(Settings.load().disposition_code).startswith("DISPOSITION_CODE_ID: ")
        environment(DRY_RUN="true")
        assert Settings.load().disposition_code() is None

    @pytest.mark.parametrize("dry_run", ["true", "false"])
    def test_is_given_as_set(self, environment: Environment, dry_run: str) -> None:
        environment(DISPOSITION_CODE_ID="code-1", DRY_RUN=dry_run)
        assert Settings.load().disposition_code() == "code-1"


class TestPolicy:
    def test_is_as_set(self, environment: Environment) -> None:
        environment(
            DISPOSITION_CODE_ID="code-1",
            DURATION_THRESHOLD_MS="1",
            FETCH_POLICY="always",
            LAG_WINDOW_SECONDS="1.5",
        )
        assert Settings.load().policy() == Policy("code-1", 1, "always", False, 1500)
        environment(DRY_RUN="true")
        assert Settings.load().policy() == Policy("code-1", 1, "always", True, 1500)

    def test_needs_a_code_to_set(self, environment: Environment) -> None:
        assert refusal(Settings.load().policy).startswith("DISPOSITION_CODE_ID: ")
        environment(DRY_RUN="true")
        assert Settings.load().policy().code is None

    def test_of_a_rehearsal_is_a_dry_run_without_a_lag(self, environment: Environment) -> None:
        assert Settings.load().policy(rehearsal=True) == Policy(None, dry_run=True)
        environment(DISPOSITION_CODE_ID="code-1", LAG_WINDOW_SECONDS="1.5")
        assert Settings.load().policy(rehearsal=True) == Policy("code-1", dry_run=True)


class TestWrapUpPolicy:
    def test_is_as_set(self, environment: Environment) -> None:
        environment(
            GENESYS_API="conversations",
            DISPOSITION_CODE_ID="code-1",
            DURATION_THRESHOLD_MS="1",
            LAG_WINDOW_SECONDS="1.5",
            WRAP_UP_NONE_CODES="none",
            WRAP_UP_MEDIA="voice,chat",
            WRAP_UP_LEGS="last",
            WRAP_UP_MARGIN_SECONDS="1",
            WRAP_UP_PATIENCE_SECONDS="2",
            WRAP_UP_VERIFY_SECONDS="3",
            WRAP_UP_CAMPAIGNS="set",
        )
        assert Settings.load().wrap_up_policy() == WrapUpPolicy(
            "code-1",
            none_codes=frozenset({"none"}),
            media=frozenset({"voice", "chat"}),
            legs="last",
            margin_ms=1_000,
            patience_ms=2_000,
            verify_ms=3_000,
            campaigns="set",
            threshold_ms=1,
            lag_window_ms=1_500,
        )

    def test_has_the_contracts_defaults(self, environment: Environment) -> None:
        environment(DISPOSITION_CODE_ID="code-1")
        assert Settings.load().wrap_up_policy() == WrapUpPolicy("code-1")

    def test_needs_a_code_unless_nothing_is_set(self, environment: Environment) -> None:
        environment(DISPOSITION_CODE_ID="")
        assert refusal(Settings.load().wrap_up_policy).startswith("DISPOSITION_CODE_ID: ")
        environment(DRY_RUN="true")
        assert Settings.load().wrap_up_policy() == WrapUpPolicy(code=None, dry_run=True)

    def test_of_a_rehearsal_waits_for_nothing(self, environment: Environment) -> None:
        environment(DISPOSITION_CODE_ID="")
        rehearsal = WrapUpPolicy(None, dry_run=True, lag_window_ms=0)
        assert Settings.load().wrap_up_policy(rehearsal=True) == rehearsal

    def test_is_checked_in_the_dialect_that_has_it(self, environment: Environment) -> None:
        environment(DISPOSITION_CODE_ID="code-1", WRAP_UP_NONE_CODES="code-1")
        Settings.load(Settings.check_policy)
        environment(GENESYS_API="conversations")
        assert refusal(lambda: Settings.load(Settings.check_policy)).startswith(
            "WRAP_UP_NONE_CODES: "
        )
