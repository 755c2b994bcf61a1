from __future__ import annotations

from streams.operator.doctor.check import exit_code, failed, ok, warning

FINE, ODD = ok("disk", "enough"), warning("rate", "no headers", "look at the proxy")
WRONG = failed("token", "refused", "check the secret")


def test_a_check_is_one_line_that_ends_with_what_to_do() -> None:
    assert str(FINE) == "ok       disk: enough"
    assert str(ODD) == "warning  rate: no headers; look at the proxy"
    assert str(WRONG) == "failed   token: refused; check the secret"


def test_only_a_failure_fails() -> None:
    assert exit_code([FINE, ODD]) == 0
    assert exit_code([FINE, WRONG, ODD]) == 1
