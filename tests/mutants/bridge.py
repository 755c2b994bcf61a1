"""The bridge's boundary (promises 7 and 14): whatever comes has its place and its answer."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ENVELOPE = "streams/core/envelope.py"
HTTP = "streams/bridge/http/front.py"
INTAKE = "streams/bridge/intake.py"
LISTENING = "streams/listening.py"

TEST_DESCRIPTORS = "tests/integration/bridge/test_descriptors.py"
TEST_ELSEWHERE = "tests/integration/bridge/test_elsewhere.py"
TEST_ANY_EVENT = "tests/unit/core/envelope/test_any_bytes.py"
TEST_HOSTILE_EVENTS = "tests/unit/core/envelope/test_hostile.py"
TEST_IDS = "tests/unit/core/envelope/test_ids.py"
TEST_FUZZ = "tests/integration/bridge/test_fuzz.py"
TEST_INTAKE = "tests/unit/bridge/test_intake.py"
TEST_INTAKE_OF_CONVERSATIONS = "tests/unit/bridge/test_intake_of_conversations.py"

_UNDER_ITS_CONVERSATION = "test_what_is_no_event_is_malformed_under_its_conversation"

MUTANTS = (
    Mutant(
        "no slash around the path is let through",
        7,
        HTTP,
        'web.post("/{before:/*}events{behind:/*}", self._events)',
        'web.post("/events", self._events)',
        (f"{TEST_ELSEWHERE}::test_slashes_around_the_path_make_no_difference",),
    ),
    Mutant(
        "answer what is for another path and say nothing",
        7,
        HTTP,
        "web.Application(middlewares=[self._elsewhere])",
        "web.Application()",
        (
            f"{TEST_ELSEWHERE}::test_another_path_is_counted_and_the_right_one_is_named",
            f"{TEST_ELSEWHERE}::test_another_method_is_counted_and_the_right_ones_are_named",
        ),
    ),
    Mutant(
        "put what is refused of an interaction into dead-letters under no key",
        7,
        INTAKE,
        "Malformed(str(exc), exc.field, readable_interaction_id(body))",
        "Malformed(str(exc), exc.field)",
        (f"{TEST_INTAKE}::test_what_is_refused_of_an_interaction_is_under_its_key",),
    ),
    Mutant(
        "put what is refused of a conversation into dead-letters under no key",
        7,
        INTAKE,
        "Malformed(str(exc), exc.field, readable_conversation_id(body))",
        "Malformed(str(exc), exc.field)",
        (f"{TEST_INTAKE_OF_CONVERSATIONS}::{_UNDER_ITS_CONVERSATION}",),
    ),
    Mutant(
        "take the top level's id where there is a detail",
        7,
        ENVELOPE,
        "read_id(_detail(json_object(decode_json(body), None)), ",
        "read_id(json_object(decode_json(body), None), ",
        (f"{TEST_IDS}::TestTheInteractionOfWhatIsNoEvent::test_is_read_whatever_else_is_wrong",),
    ),
    Mutant(
        "read numbers of any length",
        14,
        ENVELOPE,
        "int(digits) if len(digits) <= SEQUENCE_MAX_LENGTH else math.inf",
        "int(digits)",
        (f"{TEST_HOSTILE_EVENTS}::test_what_nobody_reads_is_not_judged_as_long_as_it_is_json",),
    ),
    Mutant(
        "take what is no JSON number",
        14,
        ENVELOPE,
        "json.JSONDecoder(parse_int=_integer, parse_constant=_no_number)",
        "json.JSONDecoder(parse_int=_integer)",
        (f"{TEST_HOSTILE_EVENTS}::test_hostile_bytes_are_refused_as_a_whole",),
    ),
    Mutant(
        "leave the depth of JSON to the stack",
        14,
        ENVELOPE,
        "> DEEPEST and _depth(body) > DEEPEST:",
        "< 0:",
        (f"{TEST_HOSTILE_EVENTS}::test_nesting_has_a_limit_of_its_own_whatever_the_stack",),
    ),
    Mutant(
        "keep text that can not be encoded",
        14,
        ENVELOPE,
        "value if value is None or _encodable(value) else foreign_text(value, TEXT_MAX_LENGTH)",
        "value",
        (f"{TEST_ANY_EVENT}::test_what_is_kept_of_an_event_is_bounded_and_can_be_sent_on",),
    ),
    Mutant(
        "take a sequence id that can not be encoded",
        14,
        ENVELOPE,
        "        if not _encodable(value):\n",
        "        if False:\n",
        (
            f"{TEST_HOSTILE_EVENTS}::TestTextThatCannotBeEncoded::test_two_sequence_ids_never_become_one",
        ),
    ),
    Mutant(
        "let text grow when it is lowered",
        14,
        ENVELOPE,
        "value.lower()[:TEXT_MAX_LENGTH]",
        "value.lower()",
        (
            f"{TEST_HOSTILE_EVENTS}::test_text_that_grows_when_it_is_lowered_is_bounded_all_the_same",
        ),
    ),
    Mutant(
        "take all connections that come",
        11,
        LISTENING,
        "        if self.connections < self._room.connections:\n",
        "        if True:\n",
        (f"{TEST_DESCRIPTORS}::test_those_it_has_are_served_on_and_it_recovers",),
    ),
    Mutant(
        "accept more at once than there are descriptors kept back",
        11,
        LISTENING,
        "backlog=self._room.accepted_at_once",
        "backlog=QUEUE",
        (f"{TEST_DESCRIPTORS}::test_those_it_has_are_served_on_and_it_recovers",),
    ),
    Mutant(
        "send on all that a sender says of its trace",
        11,
        HTTP,
        " if len(value) <= TRACE_BYTES)",
        ")",
        (f"{TEST_FUZZ}::test_what_a_sender_says_of_its_trace_has_a_limit",),
    ),
    Mutant(
        "log an error of ours when the client has left",
        14,
        LISTENING,
        "        if isinstance(exc, ClientConnectionResetError):",
        "        if False:",
        (f"{TEST_FUZZ}::test_a_client_that_leaves_before_it_may_continue",),
    ),
)
