"""The mechanisms of docs/guarantees.md, each taken out once, and the tests that notice.

Each is named for what the program would then do.
"""

from __future__ import annotations

from tests.mutants import (
    access,
    api_answers,
    api_limits,
    audit,
    batches,
    bridge,
    effects,
    groups,
    limits,
    lives,
    looks,
    put_off,
    reading,
    records,
    session,
    settings,
    sqs,
    taking_up,
)

MUTANTS = (
    *taking_up.MUTANTS,
    *effects.MUTANTS,
    *groups.MUTANTS,
    *limits.MUTANTS,
    *api_limits.MUTANTS,
    *lives.MUTANTS,
    *looks.MUTANTS,
    *put_off.MUTANTS,
    *batches.MUTANTS,
    *bridge.MUTANTS,
    *api_answers.MUTANTS,
    *reading.MUTANTS,
    *records.MUTANTS,
    *session.MUTANTS,
    *settings.MUTANTS,
    *sqs.MUTANTS,
    *access.MUTANTS,
    *audit.MUTANTS,
)
