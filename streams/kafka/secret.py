"""A secret from a variable, or from a file that may be renewed while the program runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from streams.errors import KafkaError

# A password or client secret is never longer; a larger file is another file.
MAX_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Secret:
    """One of ``text`` and ``file``. A file is read again each time."""

    text: str | None = field(default=None, repr=False)
    file: Path | None = None

    @classmethod
    def of(cls, text: SecretStr | None, file: Path | None) -> Secret | None:
        """The secret of these two settings; None when neither is set."""
        if text is None and file is None:
            return None
        return cls(None if text is None else text.get_secret_value(), file)

    def read(self) -> str:
        """The secret as it is now, without blanks around it. Raises KafkaError when the file has
        none; the error never quotes what it has."""
        if self.file is None:
            assert self.text is not None, "one of both is set"
            return self.text
        try:
            with self.file.open(encoding="utf-8") as opened:
                text = opened.read(MAX_CHARACTERS + 2).strip()
        except OSError as exc:
            raise KafkaError(
                f"cannot read {self.file}: {exc.strerror}; name a file that this user may read"
            ) from None
        except UnicodeDecodeError:
            text = ""
        if not text or not text.isprintable() or len(text) > MAX_CHARACTERS:
            raise KafkaError(
                f"no secret in {self.file}; it must have 1 to {MAX_CHARACTERS} printable "
                "characters in UTF-8"
            )
        return text
