"""What Rust decides. Use it through the routers."""

from typing import Any, Mapping, NoReturn, Optional, Union, final
from uuid import UUID

@final
class Keys:
    def __new__(
        cls,
        ring: Optional[tuple[str, str]] = None,
        fernet_keys: Optional[str] = None,
        fernet: Optional[str] = None,
    ) -> Keys: ...

@final
class Environ:
    """Where the routing variables of each look-up are read."""

    def __new__(cls, environ: Mapping[str, str]) -> Environ: ...
    def get(self, name: str) -> Optional[str]: ...
    def read(self) -> Variables: ...

@final
class Variables:
    """The routing variables of one look-up."""

    @property
    def table_enabled(self) -> bool: ...

@final
class Tables:
    @staticmethod
    def postgres(schema: str, document: str) -> Tables: ...
    @staticmethod
    def sqlite(document: str) -> Tables: ...
    @property
    def look_up(self) -> str: ...
    @property
    def trust(self) -> str: ...

@final
class Question:
    def __new__(
        cls,
        from_number: str,
        *,
        tenant: Optional[str] = None,
        initiated_by: Optional[str] = None,
        to: Optional[str] = None,
        agent_id: Optional[int] = None,
        strict: bool = False,
        environment: Optional[str] = None,
        for_call: bool = False,
    ) -> Question: ...
    def values(self, tables: Tables) -> list[Optional[str]]: ...

@final
class CalledNumber:
    """A called number."""

    @property
    def input(self) -> str:
        """As given."""
    @property
    def formatted(self) -> str:
        """As the carrier wants it dialled."""
    @property
    def country(self) -> Optional[str]:
        """ISO 3166, where it is known."""
    @property
    def number(self) -> Optional[str]:
        """E.164, where it could be read."""

@final
class CallRequest:
    """All that is sent for one call; its ids are drawn anew for each."""

    @property
    def room(self) -> str: ...
    @property
    def worker(self) -> str: ...
    @property
    def deployment(self) -> Optional[str]: ...
    @property
    def metadata(self) -> str: ...
    @property
    def job_id(self) -> str: ...
    @property
    def call_log_id(self) -> str: ...
    @property
    def trunk_id(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def from_number(self) -> str: ...
    @property
    def formatted(self) -> str: ...

@final
class Route:
    """Where one call goes, and why."""

    @property
    def url(self) -> str: ...
    @property
    def api_key(self) -> str: ...
    @property
    def api_secret(self) -> str:
        """The API secret: given here and nowhere else.

        :raises lkroute.SecretNotOpened: no key opens it
        :raises lkroute.UntrustedServer: nobody approved the server
        :raises lkroute.PlainTextSecret: it is stored for everybody to read
        """
    @property
    def trunk_id(self) -> str: ...
    @property
    def trunk_source(self) -> str: ...
    @property
    def worker_name(self) -> str: ...
    @property
    def worker_source(self) -> str: ...
    @property
    def deployment(self) -> Optional[str]:
        """The deployment of the workers; none means production."""
    @property
    def source(self) -> str:
        """``database`` or ``environment``."""
    @property
    def region(self) -> Optional[str]: ...
    @property
    def config_name(self) -> Optional[str]: ...
    @property
    def config_id(self) -> Optional[str]: ...
    @property
    def tenant(self) -> Optional[str]: ...
    @property
    def tenant_alias(self) -> Optional[str]: ...
    @property
    def carrier(self) -> Optional[str]: ...
    @property
    def from_number(self) -> str: ...
    @property
    def to(self) -> Optional[CalledNumber]: ...
    @property
    def agent_id(self) -> Optional[int]: ...
    @property
    def environment(self) -> Optional[str]: ...
    @property
    def warnings(self) -> list[str]: ...
    @property
    def trace(self) -> list[tuple[str, str, str]]:
        """The steps that led here: step, outcome, detail."""
    def __copy__(self) -> NoReturn: ...
    def __deepcopy__(self, _memo: Any = None) -> NoReturn: ...
    @property
    def needs_trust(self) -> bool: ...
    def judge(self, document: str) -> None: ...
    def explain(self, width: int = 80) -> str:
        """The text that ``lkroute resolve --explain`` prints."""
    def report(self) -> str:
        """The JSON that ``lkroute resolve --format json`` prints."""
    def call(
        self,
        *,
        agent_id: Optional[int] = None,
        voice_id: Optional[str] = None,
        context: Optional[str] = None,
        initiated_by: Optional[Union[str, UUID]] = None,
        call_log_id: Optional[Union[str, UUID]] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        worker: Optional[str] = None,
    ) -> CallRequest:
        """The request for a call along this route: what ``lkroute dispatch``
        sends. ``metadata`` are further keys for the worker."""

def postgres_inspection(schema: str) -> str: ...
def sqlite_inspection() -> str: ...
def resolve(
    question: Question,
    found: Optional[tuple[Tables, str]],
    variables: Variables,
    keys: Keys,
) -> Optional[Route]: ...
def visible(text: str) -> str: ...
def failed(question: Question, message: str, hint: Optional[str] = None) -> Exception: ...

@final
class Placing:
    """One call that is being placed."""

    def step(self, answer: Optional[str], elapsed: float, now: str) -> Optional[str]: ...
    def stop(self) -> None: ...
    def credentials(self, second: bool) -> tuple[str, str, str, bool]: ...
    def result(self) -> str: ...

def place_call(
    route: Route, request: CallRequest, schema: Optional[str], keywords: dict[str, Any]
) -> Placing: ...
def repeated(question: Question, record: str) -> str: ...
def statement_of_key(schema: Optional[str], idempotency_key: str) -> str: ...
def actor(environ: Environ, host: Optional[str]) -> str: ...
