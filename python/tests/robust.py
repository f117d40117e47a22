"""What an attacker, a slow database or a clumsy caller can do to the package:
`robust.py CASE`, with DATABASE, SCHEMA, NUMBER and POOLER in the environment."""

import asyncio
import gc
import importlib.metadata
import inspect
import io
import json
import logging
import os
import socket
import sys
import tempfile
import threading
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from types import MappingProxyType
from unittest import mock

import asyncpg
import psycopg
import psycopg_pool

import lkroute
import lkroute.asyncpg
import lkroute.psycopg
import lkroute.sqlite
from lkroute import _calls, _client, _core, _watch
from lkroute._limit import TaskLimits
from lkroute._watch import OutOfTime

DATABASE, SCHEMA, NUMBER = (os.environ[name] for name in ("DATABASE", "SCHEMA", "NUMBER"))


def raised(call):
    try:
        found = call()
    except Exception as error:
        return error
    raise AssertionError(f"nothing was raised: {found!r}")


async def raised_by(awaited):
    try:
        found = await awaited
    except Exception as error:
        return error
    raise AssertionError(f"nothing was raised: {found!r}")


def told(hint, error):
    """The error says what to do. What stands behind this does it, and it helps."""
    assert isinstance(error, lkroute.Error) and hint in (error.hint or ""), (hint, repr(error))


# ---- a bug of the core -----------------------------------------------------


def panics():
    """A panic is an exception for whoever calls, never an abort, and says nothing
    but where it was."""
    connection = psycopg.connect(DATABASE, autocommit=True)
    router = lkroute.psycopg.Router(connection, schema=SCHEMA)
    route = router.resolve(NUMBER, to="0501234567")
    question = _core.Question(NUMBER)
    tables, statement = router._known
    document = connection.execute("SELECT 1").fetchone() and psycopg.RawCursor(connection).execute(
        statement, question.values(tables)
    ).fetchone()[0]
    variables = _core.Environ({}).read()
    keywords = {
        **{"actor": "asha", "now": "2026-01-01T00:00:00Z", "allow": [], "sip": False, "ring": 45.0},
        **{"sip_headers": [], "timeout": 10.0, "settle": 20.0},
        **{"idempotency_key": None, "wait_for_agent": None, "display_name": None},
    }

    def place_call():
        return _core.place_call(route, route.call(), SCHEMA, keywords)

    placing = place_call()
    calls = {
        "Question": lambda: _core.Question(NUMBER),
        "Question.values": lambda: question.values(tables),
        "Keys": lambda: _core.Keys(),
        "Environ.read": lambda: _core.Environ({}).read(),
        "Tables.postgres": lambda: _core.Tables.postgres(SCHEMA, "[[],[]]"),
        "Tables.sqlite": lambda: _core.Tables.sqlite("[]"),
        "Tables.look_up": lambda: tables.look_up,
        "Tables.trust": lambda: tables.trust,
        "postgres_inspection": lambda: _core.postgres_inspection(SCHEMA),
        "resolve": lambda: _core.resolve(question, (tables, document), variables, router._keys),
        "Route.api_secret": lambda: route.api_secret,
        "Route.explain": lambda: route.explain(),
        "Route.report": lambda: route.report(),
        "Route.judge": lambda: route.judge("[null,null,null,null]"),
        "Route.call": lambda: route.call(),
        "repeated": lambda: _core.repeated(question, "[]"),
        "place_call": lambda: place_call(),
        "Placing.step": lambda: placing.step(None, 0.0, "2026-01-01T00:00:00Z"),
        "Router.resolve": lambda: router.resolve(NUMBER),
    }
    for name, call in calls.items():
        _core._panic_next()
        error = raised(call)
        assert isinstance(error, lkroute.InternalError), (name, error)
        assert (error.code, error.exit) == ("internal", 1), name
        assert "hook.rs:" in error.message and "may be anything" not in str(error), error
        told("please report it", error)
        try:
            call()  # and the next one works
        except lkroute.Error as error:
            assert not isinstance(error, lkroute.InternalError), (name, error)
    # The exception of a failure is made by the core, too.
    _core._panic_next()
    assert isinstance(_core.failed(question, "away"), lkroute.InternalError)
    assert router.resolve(NUMBER).url == route.url


# ---- loggers that show the variables of each frame -------------------------


class Vault(dict):
    """Variables of a service's own, which can't all be had."""

    def get(self, name, default=None):
        if name == "LIVEKIT_SECRET_ENCRYPTION_KEY":
            raise RuntimeError(f"no answer for {dict(self)}")
        return super().get(name, default)


async def frames():
    ring = "demo:c2VjcmV0IGtleSBvZiBub2JvZHksIG5vdCAzMiBieXRl"
    plain = "plain-text-of-others"
    environ = {
        "LKROUTE_KEYS": os.environ["LKROUTE_KEYS"],
        "LIVEKIT_URL": "wss://shell.example",
        "LIVEKIT_API_SECRET": "secret-of-the-shell",
    }
    hidden = [environ["LKROUTE_KEYS"].split(":")[1], environ["LIVEKIT_API_SECRET"], ring.split(":")[1], plain]
    hidden += [os.environ["SECRET"]]

    def check(error):
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        text = "".join(found.format())
        shown = [secret for secret in hidden if secret in text]
        assert not shown, (shown, text)

    async with asyncpg.create_pool(DATABASE, min_size=1, max_size=2) as pool:
        await pool.execute(
            f"""INSERT INTO {SCHEMA}.voice_agent_livekit (id, name, livekit_url, livekit_api_key, livekit_api_secret, trunk_id)
                VALUES ('0c000000-0000-4000-8000-000000000009', 'others', 'wss://others.example', 'k', '{plain}', 'ST_o')"""
        )
        await pool.execute(
            f"""INSERT INTO {SCHEMA}.voice_agent_numbers (tenant_id, country_code, base_number, rules) VALUES
                ('1ead8e68-2375-43bd-91c9-555df2521dec', '+91', 9300000077,
                 '{{"livekit_config": "0c000000-0000-4000-8000-000000000009", "outbound": false}}')"""
        )
        router = lkroute.asyncpg.Router(pool, schema=SCHEMA, environ=environ)
        refused = await raised_by(router.resolve("+919300000077", to="+919513456728"))
        assert isinstance(refused, lkroute.Refused), refused
        check(refused)
        nowhere = await raised_by(router.resolve("+12025559999"))
        assert isinstance(nowhere, lkroute.Unresolved) and "LIVEKIT_API_KEY" in str(nowhere), nowhere
        check(nowhere)
        other = lkroute.asyncpg.Router(pool, schema=SCHEMA, environ=environ, environment="prod")
        await pool.execute(f"UPDATE {SCHEMA}.lkroute_state SET environment = 'dev'")
        check(await raised_by(other.resolve(NUMBER)))
        check(await raised_by(lkroute.asyncpg.Router(pool, schema="gone", environ=environ).resolve(NUMBER)))
        for made in (
            lambda: lkroute.asyncpg.Router(pool, keys=ring),
            lambda: lkroute.asyncpg.Router(pool, environ={"LKROUTE_KEYS": ring}),
            lambda: lkroute.sqlite.Router("none.db", environ={"LKROUTE_FERNET_KEYS": ring}),
            # As read from a file or a store of secrets.
            lambda: lkroute.asyncpg.Router(pool, keys=ring.encode()),
            lambda: lkroute.asyncpg.Router(pool, keys=ring + "\udcff"),
            lambda: lkroute.sqlite.Router("none.db", environ={"LKROUTE_KEYS": ring.encode()}),
            lambda: lkroute.asyncpg.Router(pool, environ=Vault(LKROUTE_KEYS=ring)),
        ):
            error = raised(made)
            assert isinstance(error, (lkroute.Error, TypeError)), error
            assert ring not in repr(error), error
            # What is written in this file stands in its lines.
            assert error.__traceback__.tb_next is not None
            error.__traceback__ = error.__traceback__.tb_next.tb_next
            check(error)
        await no_frames_of_drivers()
        keys_of_files()
        route = await router.resolve(NUMBER)
        shown = [repr(vars(router)), repr(router), repr(router._keys), repr(_core.Environ(environ).read())]
        shown += [str(lkroute.LiveKitCredentials(route.url, route.api_key, route.api_secret, None, None))]
        text = "\n".join(shown).replace(repr(environ), "")
        assert not [secret for secret in hidden if secret in text], text
        for name in ("__dict__", "__getstate__"):
            assert SECRET not in repr(getattr(route, name, None))


def keys_of_files():
    """A ring's file as the command reads it: a pipe is not waited for, and others who can
    read it are told of."""
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    logging.getLogger("lkroute").addHandler(handler)
    with tempfile.TemporaryDirectory() as there:
        pipe, ring = os.path.join(there, "pipe"), os.path.join(there, "ring")
        os.mkfifo(pipe)
        with open(ring, "w", encoding="ascii") as file:
            file.write(os.environ["LKROUTE_KEYS"])
        os.chmod(ring, 0o644)
        for path in (pipe, there, os.devnull, os.path.join(there, "none"), "a\0b"):
            error = raised(lambda: lkroute.sqlite.Router("none.db", environ={"LKROUTE_KEYS_FILE": path}))
            assert isinstance(error, (lkroute.BadKeys, lkroute.UsageError)), (path, repr(error))
        error = raised(lambda: lkroute.sqlite.Router("none.db", keys="nonsense"))
        assert isinstance(error, lkroute.BadKeys) and error.hint, repr(error)
        assert not logged.getvalue(), logged.getvalue()
        # As `<(…)` of a shell.
        end, start = os.pipe()
        threading.Timer(0.3, lambda: (os.write(start, os.environb[b"LKROUTE_KEYS"]), os.close(start))).start()
        lkroute.sqlite.Router("none.db", environ={"LKROUTE_KEYS_FILE": f"/dev/fd/{end}"})
        os.close(end)
        lkroute.sqlite.Router("none.db", environ={"LKROUTE_KEYS_FILE": ring})
        assert "others can read" in logged.getvalue() and "chmod 600" in logged.getvalue()
    logging.getLogger("lkroute").removeHandler(handler)


async def no_frames_of_drivers():
    """A pool that has to connect to a database that is away: frames of the drivers hold
    its password."""
    away = "postgres://nobody:made-up-pw@127.0.0.1:1/gone"

    def check(error):
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        shown = [line for line in found.format() if "lkroute/" in line or "_cause_" in line or "made-up-pw" in line]
        # Of this file's own frames nothing is said.
        shown = [line for line in shown if "made-up-pw" in line and "robust.py" not in line]
        assert not shown, "".join(shown)
        assert error.__cause__ is not None

    calls = lambda router: (  # noqa: E731
        lambda: router.resolve(NUMBER),
        lambda: router.dispatch(NUMBER, to="0501234567", idempotency_key="k"),
    )
    made = asyncpg.create_pool(away, min_size=0, max_size=1)
    async with made as pool:
        for call in calls(lkroute.asyncpg.Router(pool, schema=SCHEMA)):
            check(await raised_by(call()))
    settings = {"conninfo": away, "min_size": 0, "max_size": 1, "timeout": 1, "reconnect_timeout": 1, "open": False}
    async with psycopg_pool.AsyncNullConnectionPool(**settings) as pool:
        for call in calls(lkroute.psycopg.AsyncRouter(pool, schema=SCHEMA, timeout=2)):
            check(await raised_by(call()))


SECRET = os.environ.get("SECRET", "?")


# ---- clumsy callers --------------------------------------------------------


async def odd_values():
    tenant = uuid.UUID("734cd516-e252-4728-9c52-4663ee552653")
    async with asyncpg.create_pool(DATABASE, min_size=1, max_size=2) as pool:
        router = lkroute.asyncpg.Router(pool, schema=SCHEMA)
        whole = await router.resolve(NUMBER, tenant=tenant)
        assert whole.tenant == str(tenant) == (await router.resolve(NUMBER, tenant=str(tenant).upper())).tenant
        for asked, kind, word in (
            ({"from_number": 971545335200}, TypeError, "from_number"),
            ({"from_number": None}, TypeError, "from_number"),
            ({"from_number": b"+971545335200"}, TypeError, "from_number"),
            ({"from_number": NUMBER + "\0"}, lkroute.BadNumber, "calling number"),
            ({"from_number": "+971\udc80545335200"}, lkroute.UsageError, "Unicode"),
            ({"from_number": "9" * 100_000}, lkroute.BadNumber, "calling number"),
            ({"from_number": ""}, lkroute.BadNumber, "calling number"),
            ({"tenant": ""}, lkroute.Unresolved, "tenant"),
            ({"tenant": "sas\0ya"}, lkroute.UsageError, "NUL"),
            ({"tenant": "sas\udcffya"}, lkroute.UsageError, "Unicode"),
            ({"tenant": "sasya'; DROP TABLE x; --"}, lkroute.Unresolved, "tenant"),
            ({"tenant": 7}, lkroute.Unresolved, "tenant"),
            ({"tenant": tenant, "initiated_by": tenant}, lkroute.UsageError, "not both"),
            ({"initiated_by": "me"}, lkroute.UsageError, "initiated_by"),
            ({"to": "05012\x0034567"}, lkroute.Error, ""),
            ({"to": "\ud800"}, lkroute.UsageError, "Unicode"),
            ({"to": 501234567}, TypeError, "to"),
            ({"to": ""}, lkroute.Error, ""),
            ({"agent_id": 2**70}, lkroute.UsageError, "agent_id"),
            ({"agent_id": "33"}, TypeError, "agent_id"),
        ):
            error = await raised_by(router.resolve(**{"from_number": NUMBER, **asked}))
            assert isinstance(error, kind), (asked, type(error), error)
            said = f"{error} {getattr(error, '__notes__', '')}"
            # Python 3.10 has no notes, which name the argument.
            assert word in said or (kind is TypeError and sys.version_info < (3, 11)), (asked, said)
            assert len(str(error)) < 2000, (asked, len(str(error)))
        whole = await router.resolve(NUMBER, to="0501234567")
        # A number arrives as it was given.
        given = {"card": 12345678901234567890123, "amount": 1887867540118.3975, "small": 5e-324}
        sent = json.loads(whole.call(metadata=given).metadata)
        assert given == {name: sent[name] for name in given}, sent
        # A mark of its own, or a letter with its mark: one name.
        assert whole.call(worker="jose\u0301").worker == "jos\u00e9"
        assert json.loads(whole.call(metadata=MappingProxyType({"a": 1})).metadata)["a"] == 1
        for name in ("context", "voice_id", "worker", "display_name", "idempotency_key", "call_log_id"):
            error = await raised_by(router.dispatch(NUMBER, to="0501234567", **{name: "a\ud800"}))
            assert isinstance(error, lkroute.UsageError) and name in error.message, (name, error)
        error = await raised_by(router.dispatch(NUMBER, to="0501234567", idempotency_key=4711))
        assert isinstance(error, TypeError) and not isinstance(error, lkroute.Error), error
        for make, given in (
            (lkroute.asyncpg.Router, DATABASE),
            (lkroute.asyncpg.Router, None),
            (lkroute.psycopg.Router, psycopg_pool.AsyncConnectionPool(DATABASE, open=False)),
            (lkroute.psycopg.AsyncRouter, psycopg_pool.ConnectionPool(DATABASE, open=False)),
            (lkroute.psycopg.AsyncRouter, pool),
        ):
            error = raised(lambda: make(given, schema=SCHEMA))
            assert isinstance(error, TypeError) and "pool: " in str(error), error
        for worker in ("", " "):
            error = raised(lambda: whole.call(worker=worker))
            assert isinstance(error, lkroute.UsageError) and "worker" in str(error), error
        for metadata, word in (
            ({"x": float("nan")}, "metadata"),
            ({"x": "\ud800"}, ""),
            ({"x": {1, 2}}, "metadata"),
            ([1], "dict"),
            ("text", "dict"),
        ):
            error = raised(lambda: whole.call(metadata=metadata))
            assert isinstance(error, lkroute.UsageError), (word, type(error), str(error)[:200])
            assert word in str(error), (word, str(error)[:200])
        deep = {}
        for _ in range(2000):
            deep = {"x": deep}
        error = raised(lambda: whole.call(metadata=deep))
        assert isinstance(error, lkroute.UsageError), error
        # A row as long as others like to write it.
        await pool.execute(
            f"""UPDATE {SCHEMA}.voice_agent_numbers SET rules = rules || jsonb_build_object('notes', repeat('é\\"', 4000000))
                WHERE base_number = 545335200"""
        )
        assert (await router.resolve(NUMBER)).url == whole.url
        # Broken bytes in a variable read as empty, as the command has it.
        environ = {"LKROUTE_KEYS": os.environ["LKROUTE_KEYS"], "VOICE_AGENT_NAME": "v\udcff"}
        assert (await lkroute.asyncpg.Router(pool, schema=SCHEMA, environ=environ).resolve(NUMBER)).url == whole.url
        error = raised(lambda: lkroute.asyncpg.Router(pool, environ={"LKROUTE_KEYS": "demo:\udcff"}))
        assert "not UTF-8" in str(error), error
        told("set it again, from a text file", error)
        environ["LKROUTE_KEYS"] = os.environ["LKROUTE_KEYS"]
        assert (await lkroute.asyncpg.Router(pool, schema=SCHEMA, environ=environ).resolve(NUMBER)).api_secret


async def hints():
    """What a hint of the package tells to do helps."""
    role = f"{psycopg.conninfo.conninfo_to_dict(DATABASE)['dbname']}_service"
    with psycopg.connect(DATABASE, autocommit=True) as owner:
        # A server that nobody approved: no call gets further than that.
        for sql in (
            "UPDATE {}.voice_agent_livekit SET livekit_url = 'http://127.0.0.1:9'",
            """UPDATE {}.lkroute_configs SET fields = (fields::jsonb || '{{"deployment": "standby"}}')::text""",
            "CREATE TABLE {}.users (id uuid PRIMARY KEY, tenant_id uuid)",
            f"CREATE ROLE {role} LOGIN",
            f"GRANT USAGE ON SCHEMA {{}} TO {role}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {{}} TO {role}",
            f"REVOKE SELECT ON {{}}.users FROM {role}",
        ):
            owner.execute(sql.format(SCHEMA))
        router = lkroute.psycopg.Router(owner, schema=SCHEMA)
        dispatch = lambda: router.dispatch(NUMBER, to="0501234567")  # noqa: E731

        # A schema that is misspelt, and one that lacks the tables.
        owner.execute("CREATE SCHEMA made_anew")
        for schema in ("lad_dve", "made_anew"):
            error = raised(lambda: lkroute.psycopg.Router(owner, schema=schema).resolve(NUMBER))
            told("is the schema the right one? `lkroute migrate --check` says what it lacks", error)
        owner.execute("DROP SCHEMA made_anew")
        assert router.resolve(NUMBER).source == "database", "the right one"

        told("use an async router, or asyncio.to_thread", raised(dispatch))
        assert isinstance(await asyncio.to_thread(raised, dispatch), lkroute.UntrustedServer)
        asynchronous = lkroute.psycopg.AsyncRouter(
            await psycopg.AsyncConnection.connect(DATABASE, autocommit=True), schema=SCHEMA
        )
        error = await raised_by(asynchronous.dispatch(NUMBER, to="0501234567"))
        assert isinstance(error, lkroute.UntrustedServer), repr(error)

        known = _client.knows_deployments
        _client.knows_deployments = lambda: False
        error = await asyncio.to_thread(raised, dispatch)
        told("pip install -U livekit-api", error)
        assert "standby" in error.message, error
        _client.knows_deployments = known
        assert known(), "the newest does"

        kept = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "livekit"}
        ours = {name: sys.modules.pop(name) for name in ("lkroute._client", "lkroute._dispatch")}
        sys.modules.update(dict.fromkeys(kept), livekit=None)
        for name in ours:
            delattr(lkroute, name.split(".")[1])
        error = await asyncio.to_thread(raised, dispatch)
        told("pip install 'lkroute[livekit]'", error)
        sys.modules.update(kept | ours)
        assert isinstance(await asyncio.to_thread(raised, dispatch), lkroute.UntrustedServer)
        brought = [line for line in importlib.metadata.requires("lkroute") if "extra == 'livekit'" in line]
        assert len(brought) == 1 and brought[0].startswith("livekit-api"), brought

        user = uuid.uuid4()
        owner.execute(f"INSERT INTO {SCHEMA}.users VALUES ('{user}', '734cd516-e252-4728-9c52-4663ee552653')")
        with psycopg.connect(DATABASE, user=role, autocommit=True) as connection:
            router = lkroute.psycopg.Router(connection, schema=SCHEMA)
            told("GRANT it to the role of this connection, or say tenant", raised(lambda: router.resolve(NUMBER, initiated_by=user)))
            whole = router.resolve(NUMBER, tenant="sasya")
            owner.execute(f"GRANT SELECT (id, tenant_id) ON {SCHEMA}.users TO {role}")
            assert router.resolve(NUMBER, initiated_by=user).tenant == whole.tenant
        owner.execute(f"DROP OWNED BY {role}")
        owner.execute(f"DROP ROLE {role}")


def hostile():
    """What others wrote into rows reaches a log on one line, and no password does."""
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    logging.getLogger("lkroute").addHandler(handler)
    logging.getLogger("lkroute").setLevel(logging.DEBUG)
    evil = "a\nERROR forged: paid\x1b[2J\u202e"
    with psycopg.connect(DATABASE, autocommit=True) as connection:
        connection.execute(
            f"""INSERT INTO {SCHEMA}.voice_agent_livekit (id, name, livekit_url, livekit_api_key, livekit_api_secret, trunk_id, worker_name)
                VALUES ('0c000000-0000-4000-8000-000000000008', %s, 'wss://bob:made-up-pw@evil.example', 'k', 's', 'ST_o', %s)""",
            [evil, evil],
        )
        connection.execute(
            f"""INSERT INTO {SCHEMA}.voice_agent_numbers (tenant_id, country_code, base_number, provider, rules) VALUES
                ('1ead8e68-2375-43bd-91c9-555df2521dec', '+91', 9300000078, %s,
                 '{{"livekit_config": "0c000000-0000-4000-8000-000000000008"}}'),
                ('1ead8e68-2375-43bd-91c9-555df2521dec', '+91', 9300000079, %s,
                 '{{"livekit_config": "x\\ny\\u001b[2J"}}')""",
            [evil, evil],
        )
        router = lkroute.psycopg.Router(connection, schema=SCHEMA)
        said = []
        for number in ("+919300000078", "+919300000079"):
            try:
                route = router.resolve(number, to="+919513456728")
                said += [repr(route), *(detail for _, _, detail in route.trace), *route.warnings]
                said += [repr(route.to), repr(route.call())]
            except lkroute.Error as error:
                said += [str(error), repr(error), *(step.detail for step in error.trace)]

        def old(from_number):
            return lkroute.LiveKitCredentials("wss://eve:other-pw@evil.example", "k", "s", "ST", evil, "database")

        beside = lkroute.compare(old, router)
        for number in ("+919300000078", "+919300000079\nforged"):
            beside(from_number=number)
        beside.wait(10)
        connection.execute(
            f"""CREATE FUNCTION {SCHEMA}.refuse() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION E'no\\x1b[2J\\r forged'; END $$"""
        )
        connection.execute(
            f"""CREATE TRIGGER refuse BEFORE INSERT ON {SCHEMA}.lkroute_dispatches
                FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.refuse()"""
        )
        refused = raised(lambda: router.dispatch(NUMBER, to="0501234567"))
        said.append(str(refused))
    for text in said + logged.getvalue().splitlines():
        assert not any(ord(char) < 32 or char in "\x7f\u202e" for char in text), repr(text)
        assert not text.startswith("ERROR forged"), text
    text = "\n".join(said) + logged.getvalue()
    assert "made-up-pw" not in text and "other-pw" not in text, text
    assert "forged" in logged.getvalue(), "the attack was not made"
    logging.getLogger("lkroute").removeHandler(handler)


async def environment():
    """The variables are those of the moment of each call."""
    shell = {
        "LIVEKIT_URL": "wss://shell.example",
        "LIVEKIT_API_KEY": "shell-key",
        "LIVEKIT_API_SECRET": "made-up-secret-of-the-shell",
        "OUTBOUND_TRUNK_ID": "ST_shell",
    }
    async with asyncpg.create_pool(DATABASE, min_size=1, max_size=1) as pool:
        router = lkroute.asyncpg.Router(pool, schema=SCHEMA)
        url = (await router.resolve(NUMBER)).url
        for off in ("false", "FALSE", "no"):
            os.environ.update(shell, USE_SELFHOST_ROUTING_TABLE=off)
            route = await router.resolve(NUMBER)
            assert (route.source, route.url, route.worker_name) == ("environment", shell["LIVEKIT_URL"], "inbound-agent")
        os.environb[b"VOICE_AGENT_NAME"] = b"broken-\xff"
        assert (await router.resolve(NUMBER)).worker_name == "inbound-agent"
        os.environ["VOICE_AGENT_NAME"] = "a-worker"
        assert (await router.resolve(NUMBER)).worker_name == "a-worker"
        del os.environ["USE_SELFHOST_ROUTING_TABLE"], os.environ["VOICE_AGENT_NAME"]
        assert (await router.resolve(NUMBER)).url == url


# ---- a database that does not answer ---------------------------------------


@contextmanager
def locked():
    """The tables are being changed by somebody who takes his time."""
    with psycopg.connect(DATABASE) as other:
        other.execute(f"LOCK TABLE {SCHEMA}.voice_agent_numbers IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


class Proxy:
    """Between a driver and its server, until it falls silent."""

    def __init__(self):
        info = psycopg.conninfo.conninfo_to_dict(DATABASE)
        self._there = (info["host"], int(info["port"]))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = DATABASE.replace(f":{info['port']}/", f":{self._listener.getsockname()[1]}/")
        self.silent = False
        #: It falls silent with the first packet that holds this.
        self.swallowed = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            here, _ = self._listener.accept()
            if self.silent:
                self._kept = here
                continue
            there = socket.create_connection(self._there)
            for pair in ((here, there), (there, here)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, one, other):
        try:
            while data := one.recv(65536):
                self.silent |= self.swallowed is not None and self.swallowed in data
                if self.silent:
                    return threading.Event().wait()
                other.sendall(data)
        except OSError:
            pass


#: Of routers here: longer than any look-up takes, on a machine that is busy.
LIMIT = 0.8


def is_late(error, began, most):
    assert isinstance(error, lkroute.LookupFailed), error
    assert f"no answer within {LIMIT:g} s" in error.message, error
    assert any("fallen back" in step.detail for step in error.trace), error.trace
    took = time.monotonic() - began
    assert 0.75 * LIMIT < took < most, took


async def limits():
    """Nothing waits for longer than the router's limit, in whatever is waited for,
    and connections are whole behind it."""
    _watch.GRACE = 0.5
    async with asyncpg.create_pool(DATABASE, min_size=1, max_size=1) as pool:
        router = lkroute.asyncpg.Router(pool, schema=SCHEMA, timeout=LIMIT)
        url = (await router.resolve(NUMBER)).url
        with locked():
            began = time.monotonic()
            is_late(await raised_by(router.resolve(NUMBER)), began, 5)
        assert (await router.resolve(NUMBER)).url == url
        async with pool.acquire():
            began = time.monotonic()
            is_late(await raised_by(router.resolve(NUMBER)), began, 5)
        assert (await router.resolve(NUMBER)).url == url
    closed = await raised_by(router.resolve(NUMBER))
    assert isinstance(closed, lkroute.LookupFailed) and "closed" in closed.message, closed

    # Limits of others: the caller's own is the caller's, the driver's is named as such.
    async with asyncpg.create_pool(DATABASE, min_size=1, max_size=1, command_timeout=LIMIT) as pool:
        for limit in (None, 20):
            router = lkroute.asyncpg.Router(pool, schema=SCHEMA, timeout=limit)
            assert (await router.resolve(NUMBER)).url == url
            with locked():
                error = await raised_by(router.resolve(NUMBER))
                assert isinstance(error, lkroute.LookupFailed), error
                assert "the time limit of the driver is over" in error.message, error
                error = await raised_by(asyncio.wait_for(router.resolve(NUMBER), 0.1))
                assert isinstance(error, asyncio.TimeoutError) and not isinstance(error, lkroute.Error), error
            assert (await router.resolve(NUMBER)).url == url

    async with psycopg_pool.AsyncConnectionPool(DATABASE, min_size=1, max_size=1, open=False) as pool:
        router = lkroute.psycopg.AsyncRouter(pool, schema=SCHEMA, timeout=LIMIT)
        assert (await router.resolve(NUMBER)).url == url
        with locked():
            began = time.monotonic()
            is_late(await raised_by(router.resolve(NUMBER)), began, 5)
        assert (await router.resolve(NUMBER)).url == url
        async with pool.connection():
            began = time.monotonic()
            is_late(await raised_by(router.resolve(NUMBER)), began, 5)
    closed = await raised_by(router.resolve(NUMBER))
    assert isinstance(closed, lkroute.LookupFailed), closed
    connection = psycopg.connect(DATABASE)
    connection.close()
    router = lkroute.psycopg.Router(connection, schema=SCHEMA)
    closed = raised(lambda: router.resolve(NUMBER))
    assert isinstance(closed, lkroute.LookupFailed) and "closed" in closed.message, closed
    dispatch = lambda: router.dispatch(NUMBER, to="0501234567", idempotency_key="k")  # noqa: E731
    closed = await asyncio.to_thread(raised, dispatch)
    assert isinstance(closed, lkroute.RecordFailed) and "closed" in closed.message, repr(closed)

    with psycopg_pool.ConnectionPool(DATABASE, min_size=1, max_size=1, open=True) as pool:
        router = lkroute.psycopg.Router(pool, schema=SCHEMA, timeout=LIMIT)
        assert router.resolve(NUMBER).url == url
        with locked():
            began = time.monotonic()
            is_late(raised(lambda: router.resolve(NUMBER)), began, 5)
        assert router.resolve(NUMBER).url == url
        with pool.connection():
            began = time.monotonic()
            error = raised(lambda: router.resolve(NUMBER))
            assert isinstance(error, lkroute.LookupFailed) and time.monotonic() - began < 5, error
        assert router.resolve(NUMBER).url == url
    with psycopg.connect(DATABASE) as connection:
        router = lkroute.psycopg.Router(connection, schema=SCHEMA, timeout=LIMIT)
        assert router.resolve(NUMBER).url == url
        connection.execute("CREATE TEMP TABLE mine (x int)")
        with locked():
            began = time.monotonic()
            is_late(raised(lambda: router.resolve(NUMBER)), began, 5)
        # So is the wait for a statement of another thread's.
        connection.rollback()
        with ThreadPoolExecutor() as threads:
            busy = threads.submit(connection.execute, "SELECT pg_sleep(3)")
            time.sleep(0.3)
            began = time.monotonic()
            is_late(raised(lambda: router.resolve(NUMBER)), began, 2.5)
            busy.result()
        with locked():
            began = time.monotonic()
            is_late(raised(lambda: router.resolve(NUMBER)), began, 5)
        # The caller's transaction has failed, and is the caller's to end.
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        connection.rollback()
        assert router.resolve(NUMBER).url == url
        after_a_fork(url)
        no_thread_can_be_had(connection, url)

    # The network is gone: no answer to a cancel either.
    for make in (
        lambda proxy: psycopg.connect(proxy.url, autocommit=True),
        lambda proxy: psycopg.connect(proxy.url),
    ):
        proxy = Proxy()
        connection = make(proxy)
        router = lkroute.psycopg.Router(connection, schema=SCHEMA, timeout=LIMIT)
        assert router.resolve(NUMBER).url == url
        proxy.silent = True
        began = time.monotonic()
        is_late(raised(lambda: router.resolve(NUMBER)), began, 8)
    proxy = Proxy()
    async with asyncpg.create_pool(proxy.url, min_size=1, max_size=1) as pool:
        router = lkroute.asyncpg.Router(pool, schema=SCHEMA, timeout=LIMIT)
        assert (await router.resolve(NUMBER)).url == url
        proxy.silent = True
        began = time.monotonic()
        # 0.5 s more: that is GRACE here.
        is_late(await raised_by(router.resolve(NUMBER)), began, LIMIT + 1.5)
        pool.terminate()
    for autocommit in (True, False):
        proxy = Proxy()
        connection = await psycopg.AsyncConnection.connect(proxy.url, autocommit=autocommit)
        router = lkroute.psycopg.AsyncRouter(connection, schema=SCHEMA, timeout=LIMIT)
        assert (await router.resolve(NUMBER)).url == url
        proxy.silent = True
        began = time.monotonic()
        # psycopg itself gives its cancel 5 s.
        is_late(await raised_by(router.resolve(NUMBER)), began, LIMIT + 6.5)
    # As with a libpq before 17, whose cancel has no limit: it is not tried.
    lkroute.psycopg._CAN_CANCEL = False
    for locks in (True, False):
        proxy = Proxy()
        connection = psycopg.connect(proxy.url, autocommit=True)
        awaited = await psycopg.AsyncConnection.connect(proxy.url, autocommit=True)
        router = lkroute.psycopg.Router(connection, schema=SCHEMA, timeout=LIMIT)
        awaiting = lkroute.psycopg.AsyncRouter(awaited, schema=SCHEMA, timeout=LIMIT)
        assert router.resolve(NUMBER).url == url == (await awaiting.resolve(NUMBER)).url
        proxy.silent = not locks
        with locked() if locks else nullcontext():
            began = time.monotonic()
            is_late(raised(lambda: router.resolve(NUMBER)), began, LIMIT + 1.5)
            began = time.monotonic()
            is_late(await raised_by(awaiting.resolve(NUMBER)), began, LIMIT + 1.5)
        assert connection.closed and awaited.closed
    lkroute.psycopg._CAN_CANCEL = True
    # Behind its answer, when the pool resets the connection: that is given back.
    proxy = Proxy()
    async with asyncpg.create_pool(proxy.url, min_size=1, max_size=1) as pool:
        router = lkroute.asyncpg.Router(pool, schema=SCHEMA, timeout=LIMIT)
        assert (await router.resolve(NUMBER)).url == url
        proxy.swallowed = b"RESET ALL"
        began = time.monotonic()
        is_late(await raised_by(router.resolve(NUMBER)), began, 8)
        proxy.silent, proxy.swallowed = False, None
        assert (await router.resolve(NUMBER)).url == url
        pool.terminate()


def no_thread_can_be_had(connection, url):
    """For a moment, as at a limit of processes; of Python's own, as root has none."""
    router = lkroute.psycopg.Router(connection, schema=SCHEMA, timeout=LIMIT)
    start, refused = threading.Thread.start, []

    def refuse(thread):
        if not thread.name.startswith("lkroute"):
            return start(thread)
        refused.append(thread.name)
        raise RuntimeError("can't start new thread")

    for watcher in (_watch._watcher, _watch._Watcher()):
        _watch._watcher, threading.Thread.start = watcher, refuse
        try:
            with locked():
                began = time.monotonic()
                error = raised(lambda: router.resolve(NUMBER))
                assert isinstance(error, lkroute.LookupFailed) and time.monotonic() - began < 5, error
        finally:
            threading.Thread.start = start
        with locked():
            began = time.monotonic()
            is_late(raised(lambda: router.resolve(NUMBER)), began, 5)
        assert router.resolve(NUMBER).url == url
    assert set(refused) == {"lkroute-watch", "lkroute-cancel"}, refused


def after_a_fork(url):
    """The thread that watches is the parent's."""
    child = os.fork()
    if child == 0:
        try:
            with psycopg.connect(DATABASE, autocommit=True) as connection:
                router = lkroute.psycopg.Router(connection, schema=SCHEMA, timeout=LIMIT)
                assert router.resolve(NUMBER).url == url
                with locked():
                    began = time.monotonic()
                    is_late(raised(lambda: router.resolve(NUMBER)), began, 5)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status


def another_loop():
    """A pool belongs to the loop that it was made in."""

    async def make():
        return await asyncpg.create_pool(DATABASE, min_size=1, max_size=1)

    for alive in (True, False):
        loop = asyncio.new_event_loop()
        pool = loop.run_until_complete(make())
        router = lkroute.asyncpg.Router(pool, schema=SCHEMA, timeout=3)
        if alive:
            threading.Thread(target=loop.run_forever, daemon=True).start()
        else:
            loop.close()
        error = asyncio.run(raised_by(router.resolve(NUMBER)))
        assert isinstance(error, lkroute.LookupFailed) and "loop" in error.message, repr(error)


async def closing():
    """A service that shuts down: its tasks are cancelled while its pool is closed. A
    task that was cancelled ends as cancelled; one that was not is told what happened."""

    async def ended_by(router, close, cancel):
        with locked():
            task = asyncio.ensure_future(router.resolve(NUMBER))
            await asyncio.sleep(0.2)
            assert not task.done()
            if cancel:
                task.cancel()
            await asyncio.wait_for(close(), 10)
            done, _ = await asyncio.wait([task], timeout=20)
        assert done, "it hangs"
        return asyncio.CancelledError() if task.cancelled() else task.exception()

    async def asyncpg_pool():
        pool = await asyncpg.create_pool(DATABASE, min_size=1, max_size=1)
        router = lkroute.asyncpg.Router(pool, schema=SCHEMA)

        async def close():
            pool.terminate()

        return router, close

    async def psycopg_pool_():
        pool = psycopg_pool.AsyncConnectionPool(DATABASE, min_size=1, max_size=1, open=False)
        await pool.open(wait=True)
        router = lkroute.psycopg.AsyncRouter(pool, schema=SCHEMA)

        async def close():
            await pool.close(timeout=0.5)

        return router, close

    for make in (asyncpg_pool, psycopg_pool_):
        router, close = await make()
        await router.resolve(NUMBER)
        error = await ended_by(router, close, cancel=True)
        assert isinstance(error, asyncio.CancelledError), (make.__name__, repr(error))
        error = await raised_by(router.resolve(NUMBER))
        assert isinstance(error, lkroute.LookupFailed), repr(error)
    router, close = await asyncpg_pool()
    await router.resolve(NUMBER)
    error = await ended_by(router, close, cancel=False)
    assert isinstance(error, lkroute.LookupFailed), repr(error)

    # The pool takes a connection back in the moment in which its task is cancelled: of
    # asyncpg's two objects, as no other can be made to meet that moment.
    class TakenBack:
        async def release(self, connection, timeout):
            raise asyncio.CancelledError

        def terminate(self):
            raise asyncpg.InterfaceError("the connection has been released back to the pool")

    giving = asyncio.ensure_future(lkroute.asyncpg._give_back(TakenBack(), TakenBack(), None))
    await asyncio.wait([giving])
    assert giving.cancelled(), giving


async def lost_answer():
    """The record is written, and its connection breaks before the answer: it is found, and
    the call goes on. Made here, as no server breaks on demand at that moment."""
    url = os.environ["LIVEKIT_URL"] = "http://127.0.0.1:9"
    async with asyncpg.create_pool(DATABASE, min_size=1, max_size=1) as pool:
        await pool.execute(f"UPDATE {SCHEMA}.voice_agent_livekit SET livekit_url = '{url}'")
        router, lost = lkroute.asyncpg.Router(pool, schema=SCHEMA), []
        execute = router._execute

        async def losing(statement, value):
            given = await execute(statement, value)
            if "INSERT" in statement and not lost:
                lost.append(value)
                raise _calls.not_recorded(asyncpg.ConnectionDoesNotExistError("connection was closed"))
            return given

        router._execute = losing
        for key in ("order-1", None):
            lost.clear()
            error = await raised_by(router.dispatch(NUMBER, to="0501234567", idempotency_key=key))
            assert isinstance(error, lkroute.CallFailed) and error.code == "refused", repr(error)
            assert lost, "the attack was not made"
        rows = await pool.fetch(f"SELECT status, idempotency_key FROM {SCHEMA}.lkroute_dispatches")
        assert [tuple(row) for row in rows] == [("failed", None)] * 2, rows


# ---- shadow mode beside a resolver that blocks ------------------------------


def shadow():
    """Whatever lkroute does, the old answer is given as fast as before."""
    found = lkroute.LiveKitCredentials("wss://a.example", "k", "made-up-old-secret", "ST", "w", "database")
    logged = io.StringIO()
    logging.getLogger("lkroute.shadow").addHandler(logging.StreamHandler(logged))
    stuck = threading.Event()

    class Slow:
        def resolve(self, **_):
            stuck.wait(30)
            raise RuntimeError("made-up-old-secret")

    beside = lkroute.compare(lambda number: found, Slow())
    began = time.monotonic()
    for _ in range(50):
        assert beside(NUMBER) is found
    assert time.monotonic() - began < 2
    stuck.set()
    beside.wait(10)
    assert beside.calls == 16 and beside.counts["not compared"] == 34, beside.counts
    assert beside.counts["lkroute failed: RuntimeError"] == 16, beside.counts
    assert beside.report().startswith("16 calls compared, 0 the same, 16 not; 34 more were not compared\n")

    # Answers of every kind are compared, and none of them is the caller's trouble.
    class Odd:
        url = api_key = trunk_id = worker_name = property(lambda self: 1 / 0)

    with psycopg.connect(DATABASE, autocommit=True) as connection:
        router = lkroute.psycopg.Router(connection, schema=SCHEMA)
        route = router.resolve(NUMBER)
        odd = lkroute.LiveKitCredentials(route.url, route.api_key, "made-up-old-secret\udcff", None, "w")
        for answer, kind in ((None, "server"), (Odd(), "not compared"), (odd, "api_secret"), ({}, "server")):
            beside = lkroute.compare(lambda number: answer, router)
            assert beside(NUMBER) is answer
            beside.wait(10)
            assert beside.counts[kind] == 1, (kind, beside.counts)
        beside = lkroute.compare(lambda number: 1 / 0, router)
        assert isinstance(raised(lambda: beside(NUMBER)), ZeroDivisionError)
        beside.wait(10)
        assert beside.counts["old failed"] == 1, beside.counts
    assert "made-up-old-secret" not in logged.getvalue() and route.api_secret not in logged.getvalue()


async def shadow_pairs():
    """Old resolvers that are awaited, of whatever make, beside routers of both kinds: the
    loop goes on, and the pool is the service's."""
    async with asyncpg.create_pool(DATABASE, min_size=4, max_size=4) as pool:
        router = lkroute.asyncpg.Router(pool, schema=SCHEMA)
        blocking = lkroute.psycopg.Router(psycopg.connect(DATABASE, autocommit=True), schema=SCHEMA)
        route = await router.resolve(NUMBER)
        found = lkroute.LiveKitCredentials(
            route.url, route.api_key, route.api_secret, route.trunk_id, route.worker_name, route.source
        )

        async def old(number):
            return found

        class Service:
            async def __call__(self, number):
                return found

        kinds = [old, Service(), lambda number: old(number), lambda number: asyncio.ensure_future(old(number))]
        for kind in kinds:
            for beside in (lkroute.compare(kind, router), lkroute.compare(kind, blocking)):
                assert await beside(NUMBER) is found
                await beside.settled()
                assert beside.report() == "1 calls compared, 1 the same, 0 not\n", (kind, beside.report())
        if sys.version_info >= (3, 12):
            assert inspect.iscoroutinefunction(lkroute.compare(old, router))
        # Its loop is not here.
        beside = lkroute.compare(lambda number: found, router)
        assert beside(NUMBER) is found
        beside.wait(10)
        assert beside.report() == "0 calls compared, 0 the same, 0 not; 1 more were not compared\n", beside.report()

        async def asks(number):
            async with pool.acquire() as connection:
                await connection.fetchval("SELECT 1")
            return found

        with psycopg.connect(DATABASE) as other:
            other.execute(f"LOCK TABLE {SCHEMA}.lkroute_configs IN ACCESS EXCLUSIVE MODE")
            for beside in (lkroute.compare(asks, router, timeout=1), lkroute.compare(asks, blocking, timeout=1)):
                pauses, began = [], time.monotonic()
                ends = [asyncio.ensure_future(beside(NUMBER)) for _ in range(40)]
                while not all(end.done() for end in ends):
                    pauses.append(time.monotonic())
                    await asyncio.sleep(0.02)
                pauses.append(time.monotonic())
                assert time.monotonic() - began < 0.7, time.monotonic() - began
                longest = max(later - before for before, later in zip(pauses, pauses[1:]))
                assert longest < 0.5, longest
                if beside._router_blocks:
                    other.rollback()
                await beside.settled()
                assert beside.counts["not compared"] >= 20, beside.counts
        forked_shadow(blocking, found)


def forked_shadow(router, found):
    """The threads of the parent are not there in the child, nor what they held."""
    beside = lkroute.compare(lambda number: found, router)
    held, go = threading.Event(), threading.Event()

    def hold():
        with beside._lock:
            held.set()
            go.wait(30)

    threading.Thread(target=hold, daemon=True).start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        threading.Timer(10, os._exit, [1]).start()
        os._exit(0 if beside(NUMBER) is found else 2)
    go.set()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "it hangs"


# ---- a pooler in transaction mode ------------------------------------------


async def pooler():
    url = os.environ["POOLER"]
    numbers = [NUMBER] + [f"+97154600{ix:04}" for ix in range(40)]
    async with asyncpg.create_pool(url, min_size=8, max_size=8, statement_cache_size=0) as pool:
        router = lkroute.asyncpg.Router(pool, schema=SCHEMA)
        asked = numbers * 5
        routes = await asyncio.gather(*(router.resolve(number) for number in asked))
        assert [route.from_number for route in routes] == asked
        assert {route.config_name for route in routes} == {"uae-vm-selfhosted"}
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(f"UPDATE {SCHEMA}.voice_agent_livekit SET worker_name = 'mine'")
            assert (await router.resolve(NUMBER, connection=connection)).worker_name == "mine"
            assert (await router.resolve(NUMBER)).worker_name != "mine"
            await connection.execute("ROLLBACK")
            await connection.execute("BEGIN")
    kept = {"prepare_threshold": None}
    with psycopg_pool.ConnectionPool(url, min_size=4, max_size=4, kwargs=kept, open=True) as pool:
        router = lkroute.psycopg.Router(pool, schema=SCHEMA)
        found = []

        def ask():
            found.extend(router.resolve(number).from_number == number for number in numbers)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(found) == 8 * len(numbers) and all(found), len(found)
    async with psycopg_pool.AsyncConnectionPool(url, min_size=4, max_size=4, kwargs=kept, open=False) as pool:
        router = lkroute.psycopg.AsyncRouter(pool, schema=SCHEMA)
        routes = await asyncio.gather(*(router.resolve(number) for number in numbers * 3))
        assert [route.from_number for route in routes] == numbers * 3


# ---- ten thousand calls ----------------------------------------------------


def memory():
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def leaks():
    logging.getLogger("lkroute").setLevel(logging.ERROR)
    async with asyncpg.create_pool(DATABASE, min_size=2, max_size=4) as pool:
        router = lkroute.asyncpg.Router(pool, schema=SCHEMA)

        async def one(ix):
            route = await router.resolve(NUMBER, to="0501234567")
            route.api_secret, route.trace, route.explain(), route.report(), route.call(metadata={"ix": ix})
            try:
                await router.resolve(NUMBER, to="+919513456728")
            except lkroute.Refused as error:
                repr(error), error.trace

        async def some(count):
            for at in range(0, count, 50):
                calls = [asyncio.ensure_future(one(ix)) for ix in range(at, at + 25)]
                dropped = [asyncio.ensure_future(one(ix)) for ix in range(25)]
                await asyncio.sleep(0)
                for call in dropped:
                    call.cancel()
                await asyncio.gather(*calls)
                await asyncio.gather(*dropped, return_exceptions=True)

        await some(1000)
        before = memory()
        await some(10_000)
        grown = memory() - before
    with psycopg.connect(DATABASE, autocommit=True) as connection:
        sync = lkroute.psycopg.Router(connection, schema=SCHEMA)
        for _ in range(200):
            sync.resolve(NUMBER)
        assert len(_watch._watcher._watches) <= 2, len(_watch._watcher._watches)
    assert grown < 4, f"{grown:.1f} MB more"


async def task_limits():
    """The limit of a task is as ``asyncio.timeout`` has it."""
    loop = asyncio.get_running_loop()
    limits = TaskLimits(loop, 0.3)

    async def of_length(seconds):
        await asyncio.sleep(seconds)
        return seconds

    async def ended(seconds):
        began = loop.time()
        error = await raised_by(limits.run(of_length(seconds)))
        assert isinstance(error, OutOfTime), error
        took = loop.time() - began
        assert 0.29 < took < 2, took
        return took

    # Each by its own begin, whatever ends before it.
    late = []
    for wait in (5, 0.01, 5, 0.01, 5):
        if wait == 5:
            late.append(asyncio.ensure_future(ended(wait)))
        else:
            assert await limits.run(of_length(wait)) == wait
        await asyncio.sleep(0.05)
    await asyncio.gather(*late)
    # Later ones have a timer as well.
    await ended(5)
    assert await limits.run(of_length(0)) == 0 and not limits._waits

    async def slow_to_end():
        try:
            await asyncio.sleep(5)
        finally:
            await asyncio.sleep(0.3)

    # What others ask for comes before it: a cancellation, also in the same moment, or
    # while what the limit ended is being cleaned up ...
    for asked, delay in ((of_length(5), 0.1), (of_length(5), 0.3), (slow_to_end(), 0.45)):
        task = asyncio.ensure_future(limits.run(asked))
        loop.call_later(delay, task.cancel)
        done, _ = await asyncio.wait([task], timeout=5)
        if delay != 0.3 or sys.version_info >= (3, 11):
            assert done and task.cancelled(), task
    # ... and a shorter limit of theirs, which leaves nothing behind.
    began = loop.time()
    error = await raised_by(asyncio.wait_for(limits.run(of_length(5)), 0.05))
    assert isinstance(error, asyncio.TimeoutError) and not isinstance(error, OutOfTime), error
    assert loop.time() - began < 0.25
    if sys.version_info >= (3, 11):
        async with asyncio.timeout(5):
            await ended(5)
        assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0.01)
    assert not limits._waits


def proxies():
    """A server is asked through the proxy that the command would take."""
    https, http = "https://lk.example/", "http://10.1.2.3:7880/"
    through = {"https_proxy": "http://p.example:3128", "http_proxy": "p.example:3128"}
    for environ, base, proxy in (
        ({}, https, None),
        (through, https, "http://p.example:3128"),
        (through, http, "http://p.example:3128"),
        ({"all_proxy": "http://p.example:3128"}, https, "http://p.example:3128"),
        ({**through, "no_proxy": "10.0.0.0/8"}, http, None),
        ({**through, "no_proxy": "other.example, 10.1.2.3"}, http, None),
        ({**through, "no_proxy": "10.1.2.0/24,x"}, https, "http://p.example:3128"),
        ({**through, "no_proxy": "11.0.0.0/8"}, http, "http://p.example:3128"),
        ({**through, "no_proxy": ".example"}, https, None),
        ({**through, "no_proxy": "*"}, https, None),
        ({**through, "no_proxy": "fd00::/8"}, "http://[fd00::1]:7880/", None),
    ):
        with mock.patch.dict(os.environ, environ, clear=True):
            assert _client._proxy_for(base) == proxy, (environ, base, _client._proxy_for(base))


def asked_before():
    """The same bytes of the database to another question are another answer."""
    uuids = [str(uuid.UUID(int=ix)) for ix in (1, 2)]
    questions = [{}, {"tenant": uuids[0]}, {"tenant": "nobody"}, {"agent_id": 7}, {"agent_id": 8}]
    questions += [{"initiated_by": user} for user in uuids]
    questions += [{"to": "+971501234567"}, {"to": "0501234567", "strict": True}]

    def answer(router, question):
        try:
            route = router.resolve(NUMBER, **question)
            return route.report(), route.agent_id, route.api_secret
        except lkroute.Error as error:
            return error.code, error.message, error.hint, error.trace

    with psycopg.connect(DATABASE, autocommit=True) as connection:

        def new():
            return lkroute.psycopg.Router(connection, schema=SCHEMA)

        answers = [answer(new(), question) for question in questions]
        assert len({repr(told) for told in answers}) == len(questions), answers
        router = new()
        for first in questions:
            for question, told in zip(questions, answers):
                answer(router, first)
                assert answer(router, question) == told, (first, question)


# ---- an interpreter that ends ----------------------------------------------


def loop_of_the_thread():
    """A thread keeps the event loop that it has, through a call that blocks."""
    with psycopg.connect(DATABASE, autocommit=True) as connection:
        router = lkroute.psycopg.Router(connection, schema=SCHEMA)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        raised(lambda: router.dispatch("+12025559999", to="0501234567"))
        assert sys.version_info < (3, 11) or asyncio.get_event_loop_policy().get_event_loop() is loop
        loop.close()


def ends_with_threads():
    def ask():
        with psycopg.connect(DATABASE, autocommit=True) as connection:
            router = lkroute.psycopg.Router(connection, schema=SCHEMA)
            while True:
                router.resolve(NUMBER, to="0501234567").api_secret

    for _ in range(6):
        threading.Thread(target=ask, daemon=True).start()
    time.sleep(0.5)


async def ends_with_tasks():
    pool = await asyncpg.create_pool(DATABASE, min_size=4, max_size=4)
    router = lkroute.asyncpg.Router(pool, schema=SCHEMA)
    await router.resolve(NUMBER)

    async def ask():
        while True:
            await router.resolve(NUMBER, to="0501234567")

    kept = [asyncio.ensure_future(ask()) for _ in range(50)]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in kept)


case = globals()[sys.argv[1]]
if asyncio.iscoroutinefunction(case):
    asyncio.run(case())
else:
    case()
print("all well")
