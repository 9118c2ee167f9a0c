"""Scripts that loop, eat, print, lie, break out and break down: each ends, and nobody else notices."""

import asyncio
import errno
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.test_script_runtimes import gone, login, script
from keystead.custom_db.launch import filters_calls
from keystead.custom_db.limits import Limits, Programs
from keystead.custom_db.runner import Children
from keystead.errors import ScriptFailed
from keystead.rules.action_scripts import ScriptLanguage
from keystead.rules.circuits import FAILURES, PAUSE
from keystead.secrecy import Secret
from world import CountingEntropy

SMALL = Limits(seconds=30, memory=128, output=64)
HASTY = replace(SMALL, seconds=1)
LATE = "it took longer than 1 s"
CLOSES = "import os\ndef login(a, b):\n    os.close(5)\n    while True: pass"
"""By what its process would notice that the server ends."""
LOOPS: dict[ScriptLanguage, str] = {
    "node": "function (a, b, callback) { for (;;) { } }",
    "python": "def login(a, b):\n    while True: pass",
}
WELL: dict[ScriptLanguage, str] = {
    "node": "function (a, b, callback) { callback(null, process.pid); }",
    "python": "import os\ndef login(a, b): return os.getpid()",
}


@pytest.fixture(scope="module")
async def runtime() -> AsyncIterator[Children]:
    """A runtime of small limits; each script gets a connection of its own."""
    runtime = Children(CountingEntropy("hostile"), SMALL)
    yield runtime
    await runtime.close()


@pytest.fixture(scope="module")
async def hasty() -> AsyncIterator[Children]:
    """One that waits for nobody: for scripts that have no other end."""
    runtime = Children(CountingEntropy("hasty"), HASTY)
    yield runtime
    await runtime.close()


HOSTILE: list[tuple[str, ScriptLanguage, str, str]] = [
    ("loop", "node", LOOPS["node"], LATE),
    ("loop", "python", LOOPS["python"], LATE),
    ("loop of promises", "node", "async (a, b) => { for (;;) await null; }", LATE),
    ("sleep", "python", "import asyncio\nasync def login(a, b): await asyncio.sleep(99)", LATE),
    ("waits for ever", "node", "function (a, b, callback) { setInterval(() => 0, 10); }", LATE),
    ("never", "node", "function (a, b, callback) { }", "it ended and never called back"),
    ("never, by a promise", "node", "async (a, b, callback) => { }", "it ended and never called back"),
    ("exit", "node", "function (a, b, callback) { process.exit(3); }", r"its process ended \(code 3\)"),
    ("exit", "python", "import sys\ndef login(a, b): sys.exit(3)", r"its process ended \(code 3\)"),
    ("hard exit", "python", "import os\ndef login(a, b): os._exit(4)", r"its process ended \(code 4\)"),
    ("abort", "node", "function (a, b, callback) { process.abort(); }", "its process ended"),
    ("crash", "python", "import ctypes\ndef login(a, b): ctypes.string_at(8)", r"its process ended \(SIGSEGV\)"),
    (
        "eats heap",
        "node",
        "function (a, b, callback) { const kept = []; for (;;) kept.push(new Array(10000).fill(1.5)); }",
        "memory",
    ),
    (
        "eats buffers, slowly",
        "node",
        """function (a, b, callback) {
            const kept = [];
            setInterval(() => kept.push(Buffer.alloc(8 << 20, 1)), 1);
        }""",
        "it took more than 128 MiB of memory",
    ),
    (
        "eats slowly",
        "python",
        """
import time

def login(a, b):
    kept = []
    while kept.append(bytearray(8 << 20)) is None:
        time.sleep(0.002)
""",
        "it took more than 128 MiB of memory",
    ),
    ("prints", "node", "function (a, b, callback) { for (;;) console.log('x'.repeat(99)); }", "more than 64 KiB"),
    ("prints", "python", "def login(a, b):\n    while True: print('x' * 99)", "more than 64 KiB"),
    (
        "prints past the console",
        "node",
        "function (a, b, callback) { for (;;) process.stdout.write('x'.repeat(99)); }",
        "more than 64 KiB",
    ),
    (
        "prints past the console",
        "python",
        "import os\ndef login(a, b):\n    while True: os.write(2, b'x' * 99)",
        "than 64",
    ),
    ("answers too much", "node", "function (a, b, callback) { callback(null, 'x'.repeat(1e6)); }", "more than 64 KiB"),
    ("answers too much", "python", "def login(a, b): return 'x' * 10**6", "more than 64 KiB"),
    (
        "forges an answer",
        "node",
        """function (a, b, callback) {
            require('fs').writeSync(4, '{"id":"x","answer":{"value":{"user_id":"admin"}}}\\n');
            setTimeout(callback, 50);
        }""",
        "an answer to a question that nobody asked",
    ),
    (
        "forges an answer",
        "python",
        """
import os
def login(a, b):
    os.write(4, b'{"id":"","answer":{"value":{"user_id":"admin"}}}\\n')
""",
        "an answer to no question",
    ),
    ("talks nonsense", "python", "import os\ndef login(a, b): os.write(4, b'\\xff\\n')", "a line that is no JSON"),
    ("nests", "python", "import os\ndef login(a, b): os.write(4, b'[' * 9999 + b'\\n')", "more than 100 levels"),
    ("closes the pipe", "python", "import os\ndef login(a, b): os.closerange(3, 99)", "its process ended"),
]


@pytest.mark.parametrize(
    ("language", "source", "why"),
    [each[1:] for each in HOSTILE],
    ids=[f"{each[1]}: {each[0]}" for each in HOSTILE],
)
async def test_it_ends(runtime: Children, hasty: Children, language: ScriptLanguage, source: str, why: str) -> None:
    """And the next call of the same script finds a process that works."""
    hostile, runtime = script(source, language), hasty if why == LATE else runtime
    with pytest.raises(ScriptFailed, match=why) as failed:
        await login(runtime, hostile)
    assert failed.value.script == "login"
    assert "pass word" not in str(failed.value)
    assert isinstance((await login(runtime, script(WELL[language], language, hostile.connection_id))).value, int)


REFUSED: list[tuple[str, ScriptLanguage, str]] = [
    ("opens a file", "node", "function (a, b, callback) { callback(null, require('fs').readFileSync(b, 'utf8')); }"),
    ("opens a file", "python", "def login(a, b): return open(b).read()"),
    ("opens a database", "python", "import sqlite3\ndef login(a, b): return sqlite3.connect(b).execute('SELECT 1')"),
    ("writes a file", "node", "function (a, b, callback) { require('fs').writeFileSync(b, 'x'); callback(); }"),
    ("writes a file", "python", "def login(a, b): open(b, 'w').write('x')"),
    ("deletes a file", "python", "import os\ndef login(a, b): os.unlink(b)"),
    ("runs a program", "node", "function (a, b, callback) { require('child_process').execSync('id'); callback(); }"),
    ("runs a program", "python", "import subprocess\ndef login(a, b): subprocess.run(['id'])"),
    ("forks", "python", "import os\ndef login(a, b): os.fork()"),
    (
        "forks without Python's knowledge",
        "python",
        "import multiprocessing\ndef login(a, b): multiprocessing.get_context('spawn').Process().start()",
    ),
    (
        "starts a thread of its own",
        "node",
        "function (a, b, done) { new (require('worker_threads').Worker)('1', {eval: true}); }",
    ),
    ("ends the server", "node", "function (a, b, callback) { process.kill(process.ppid, 9); callback(); }"),
    ("ends the server", "python", "import os\ndef login(a, b): os.kill(os.getppid(), 9)"),
    (
        "asks the server",
        "node",
        "function (a, b, done) { done(null, require('fs').readFileSync(`/proc/${process.ppid}/environ`)); }",
    ),
    (
        "limits the server",
        "python",
        "import os, resource\ndef login(a, b): return resource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
    ),
    ("asks the server", "python", "import os\ndef login(a, b): return open(f'/proc/{os.getppid()}/environ').read()"),
    (
        "ends the server by C",
        "python",
        """
import ctypes, os

def login(a, b):
    if ctypes.CDLL(None, use_errno=True).kill(os.getppid(), 9):
        raise PermissionError(ctypes.get_errno())
""",
    ),
]


@pytest.mark.parametrize(
    ("language", "source"), [each[1:] for each in REFUSED], ids=[f"{each[1]}: {each[0]}" for each in REFUSED]
)
async def test_it_is_refused(runtime: Children, tmp_path: Path, language: ScriptLanguage, source: str) -> None:
    """Files, processes, and the server itself: the script sees an error, as it would of a database that is away."""
    secret = tmp_path / "keystead.db"
    secret.write_bytes(b"")
    found = await runtime.run(script(source, language), ["ann", Secret(str(secret))], None)
    assert found.refusal is not None
    assert found.refusal.kind == "error"
    assert secret.read_bytes() == b""


BY_C = """
import ctypes, os

libc = ctypes.CDLL(None, use_errno=True)

def tried(name, *arguments):
    found = getattr(libc, name)(*arguments)
    return 0 if found >= 0 else ctypes.get_errno()

def reached(pid):
    room, all = ctypes.create_string_buffer(16), ctypes.create_string_buffer(b"\\xff" * 128, 128)
    return {
        "prlimit": tried("prlimit", pid, 4, None, room),
        "sched_setaffinity": tried("sched_setaffinity", pid, 128, all),
        "sched_setscheduler": tried("sched_setscheduler", pid, 0, ctypes.create_string_buffer(4)),
    }

def login(a, b):
    others = {
        "setpriority": tried("setpriority", 0, os.getppid(), os.getpriority(0, os.getppid())),
        "ptrace": tried("ptrace", 16896, os.getppid(), 0, 0),
        "process_vm_readv": tried("process_vm_readv", os.getppid(), None, 0, None, 0, 0),
    }
    return {**reached(os.getppid()), **others}, reached(0), reached(os.getpid())
"""
FILTERED = pytest.mark.skipif(not filters_calls(), reason="system calls are not filtered on this machine")


@FILTERED
async def test_limits_and_priorities_of_the_server_are_its_own(runtime: Children) -> None:
    """A second of processor time as its limit would kill it. None of these calls would harm if it were made."""
    others, *own = (await login(runtime, script(BY_C, "python"))).value
    assert set(others.values()) == {errno.EPERM}, others
    assert [set(each.values()) for each in own] == [{0}, {0}]


FORKS = """
import ctypes, os, signal

libc = ctypes.CDLL(None, use_errno=True)
CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]

def why(made):
    if made == 0:
        os._exit(0)  # in what should not be
    return ctypes.get_errno() if made < 0 else 0

def login(a, b):
    alike = why(libc.fork()), why(libc.syscall(CLONE, signal.SIGCHLD, 0, 0, 0, 0)), why(libc.setsid())
    return *alike, why(libc.setpgid(0, os.getppid())), why(libc.syscall(435, None, 0)), why(libc.prctl(1, 0))
"""


@FILTERED
async def test_it_stays_one_process(runtime: Children) -> None:
    """What it started in a session of its own would outlive it and the server, and be counted by nobody."""
    found = (await login(runtime, script(FORKS, "python"))).value
    assert [errno.errorcode[each] for each in found] == ["EPERM"] * 4 + ["ENOSYS", "EPERM"]


LASTS = """
import ctypes, os

libc = ctypes.CDLL(None, use_errno=True)

def login(a, b):
    # None of these creates anything, even where it is let.
    calls = (libc.shmget, 7, 1, 0), (libc.msgget, 7, 0), (libc.semget, 7, 1, 0), (libc.mq_open, b"/keystead", 0)
    return [ctypes.get_errno() for call, *arguments in calls if call(*arguments) < 0], shared()

def shared():
    try:
        os.open("/dev/shm/keystead", os.O_CREAT | os.O_RDWR)
        os.unlink("/dev/shm/keystead")
    except OSError as error:
        return error.errno
"""


@FILTERED
async def test_nothing_in_memory_outlives_it(runtime: Children) -> None:
    """No limit counts the shared memory of System V, and the kernel keeps it until somebody removes it."""
    assert (await login(runtime, script(LASTS, "python"))).value == [[errno.EPERM] * 4, errno.EACCES]


TOUCHES = """
import ctypes, os

def login(a, b):
    def tried(call, *arguments):
        try:
            call(*arguments)
        except OSError as error:
            return error.errno
        return 0

    own = os.open("own", os.O_CREAT | os.O_RDWR)
    return {
        "chmod": tried(os.chmod, b, 0o666), "fchmod": tried(os.fchmod, own, 0o666),
        "chown": tried(os.chown, b, -1, -1), "lchown": tried(os.lchown, b, -1, -1),
        "fchown": tried(os.fchown, own, -1, -1),
        "utime": tried(os.utime, b, (0, 0)), "utime, open": tried(os.utime, own, (0, 0)),
        "setxattr": tried(os.setxattr, b, "user.x", b"x"), "removexattr": tried(os.removexattr, b, "user.x"),
        "fsetxattr": tried(os.setxattr, own, "user.x", b"x"),
        "lsetxattr": tried(lambda: os.setxattr(b, "user.x", b"x", follow_symlinks=False)),
        "open for nothing": tried(os.open, b, 3), "open": tried(os.open, b, 0),
        "truncate": tried(os.truncate, b, 0), "open, truncating": tried(os.open, b, os.O_TRUNC | 3),
    }
"""


@FILTERED
async def test_modes_and_times_of_our_files_stay(runtime: Children, tmp_path: Path) -> None:
    """Landlock alone leaves a script of the same user all of these, and a lock on the file by the last but three."""
    victim = tmp_path / "keystead.db"
    victim.write_bytes(b"a row")
    victim.chmod(0o600)
    os.utime(victim, (7, 7))
    found = (await runtime.run(script(TOUCHES, "python"), ["ann", Secret(str(victim))], None)).value
    by_landlock = {each: found.pop(each) for each in ("open", "truncate")}
    assert set(found.values()) == {errno.EPERM}, found
    assert set(by_landlock.values()) == {errno.EACCES}, by_landlock
    is_now = victim.stat()
    assert (is_now.st_mode & 0o777, is_now.st_mtime, victim.read_bytes()) == (0o600, 7, b"a row")


WORKS = """
import os, pathlib, shutil, sqlite3, tempfile, threading

def login(a, b):
    heard = []
    threads = [threading.Thread(target=heard.append, args=[each]) for each in range(3)]
    for each in threads: each.start()
    for each in threads: each.join()
    with tempfile.TemporaryDirectory() as place, tempfile.NamedTemporaryFile("w+", dir=place) as file:
        file.write("text")
        file.flush()
        shutil.copyfile(file.name, "copied")
        os.truncate("copied", 2)
    pathlib.Path("touched").touch()
    pathlib.Path("touched").touch()
    with sqlite3.connect("own.db") as own:
        own.execute("PRAGMA journal_mode=WAL")
        own.execute("CREATE TABLE t AS SELECT 7 AS n")
    found = own.execute("SELECT n FROM t").fetchone()[0]
    return [*heard, open("copied").read(), found, tempfile.gettempdir() == os.getcwd()]
"""


async def test_what_it_may_do_in_its_own_directory(runtime: Children) -> None:
    """Threads, files that come and go, a database."""
    assert (await login(runtime, script(WORKS, "python"))).value == [0, 1, 2, "te", 7, True]


WITHOUT_LANDLOCK = """
import fcntl, os, signal, sys, tempfile
from keystead.custom_db.launch import refuse_calls

def refused(call, *arguments):
    try:
        call(*arguments)
    except PermissionError:
        return True
    return False

refuse_calls(0)
server, own = os.getppid(), os.getpid()
assert refused(os.kill, server, 0) and refused(os.kill, -1, 0) and refused(os.pidfd_open, server)
assert refused(fcntl.fcntl, 0, fcntl.F_SETOWN, server) and refused(fcntl.fcntl, 0, fcntl.F_SETSIG, 9)
assert not refused(os.kill, own, 0) and not refused(fcntl.fcntl, 0, fcntl.F_GETFL)
assert not refused(signal.raise_signal, signal.SIGCHLD)
with tempfile.NamedTemporaryFile() as file:
    assert refused(os.truncate, file.name, 0) and refused(os.open, file.name, os.O_RDONLY | os.O_TRUNC)
    assert not refused(os.open, file.name, os.O_WRONLY | os.O_TRUNC) and not refused(os.open, file.name, os.O_RDONLY)
"""


@FILTERED
async def test_what_landlock_does_not_see_to() -> None:
    """Signals before Linux 6.12, emptying files before 6.2."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WITHOUT_LANDLOCK), env=os.environ | {"PYTHONPATH": ":".join(sys.path)}
    )
    assert await child.wait() == 0


LOOKS: dict[ScriptLanguage, str] = {
    "node": """function (a, b, callback) {
        const fs = require('fs');
        const isFile = (fd) => { try { return fs.fstatSync(fd).isFile(); } catch { return false; } };
        const files = [...Array(64).keys()].filter(isFile);
        callback(null, {env: process.env, argv: process.argv.slice(2), place: process.cwd(), files, pid: process.pid});
    }""",
    "python": """
import os, stat, sys

def login(a, b):
    open_ = [int(fd) for fd in os.listdir("/proc/self/fd")]
    files = [fd for fd in open_ if fd < 64 and _is_file(fd)]
    return {"env": dict(os.environ), "argv": sys.argv[1:], "place": os.getcwd(), "files": files, "pid": os.getpid()}

def _is_file(fd):
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return False
""",
}


@pytest.mark.parametrize("language", ["node", "python"])
async def test_what_a_child_holds_of_ours(
    runtime: Children, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, language: ScriptLanguage
) -> None:
    """No environment, no descriptor, no secret in its command line, no directory with anything in it."""
    monkeypatch.setenv("KEYSTEAD_SECRET_KEYS", "marked secret")
    held = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(held, True)
    try:
        looks = script(LOOKS[language], language, configuration={"password": Secret("marked value")})
        found = (await login(runtime, looks)).value
        found["env"].pop("LC_CTYPE", None)  # Python's own, for want of a locale
        assert (found["env"], found["argv"], found["files"]) == ({}, [], [])
        assert Path(found["place"]).parent == Path(tempfile.gettempdir())
        assert os.listdir(found["place"]) == []
        for name in ("cmdline", "environ"):
            visible = _of_process(found["pid"], name)
            assert b"marked" not in visible
            assert b"pass word" not in visible
        links = [os.readlink(f"/proc/{found['pid']}/fd/{fd}") for fd in os.listdir(f"/proc/{found['pid']}/fd")]
        assert not [each for each in links if str(tmp_path) in each or "keystead" in each]
    finally:
        os.close(held)


def _of_process(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


@pytest.mark.parametrize("language", ["node", "python"])
async def test_connections_do_not_notice_each_other(runtime: Children, language: ScriptLanguage) -> None:
    """One hangs with as many calls as may be; another answers, before any of those has ended."""
    hanging, well = script(LOOPS[language], language), script(WELL[language], language)
    await login(runtime, well)
    hangs = [asyncio.create_task(login(runtime, hanging)) for _ in range(SMALL.concurrency)]
    assert isinstance((await login(runtime, well)).value, int)
    assert not any(each.done() for each in hangs)
    for each in hangs:
        each.cancel()
    await asyncio.gather(*hangs, return_exceptions=True)


async def test_the_circuit_of_one_script() -> None:
    """After five failures it is not called for a while; then one call decides, alone. Others go on."""
    now = [0.0]
    runtime = Children(CountingEntropy(), SMALL, seconds=lambda: now[0])
    broken = script(
        """
import asyncio, os

async def login(a, b):
    if b == "bad":
        os._exit(1)
    await asyncio.sleep(0.2)
""",
        "python",
    )

    async def call(how: str) -> object:
        try:
            return (await runtime.run(broken, ["ann", how], None)).value
        except ScriptFailed as failed:
            return failed.detail

    ended, alone = "its process ended (code 1)", "it failed too often, and is left alone for a while"
    assert [await call("bad") for _ in range(4)] == [ended] * 4
    assert await call("well") is None  # in a row, or not at all
    assert [await call("bad") for _ in range(6)] == [*[ended] * 5, alone]
    assert isinstance((await login(runtime, script(WELL["python"], "python"))).value, int)
    other = replace(broken, name="get_user", source="def get_user(a, b): return 7")
    assert (await login(runtime, other)).value == 7, "a script that anybody can have fail stops no other"
    assert runtime.health(broken.connection_id).failures_in_a_row == FAILURES
    now[0] += PAUSE
    assert [await call("bad"), await call("well")] == [ended, alone]
    now[0] += PAUSE
    assert await call("well") == alone  # the second pause is longer
    now[0] += PAUSE
    assert sorted(map(str, await asyncio.gather(*(call("well") for _ in range(3))))) == ["None", alone, alone]
    assert [await call("well"), await call("bad")] == [None, ended]
    await runtime.close()


LATE_VERDICTS = (
    "WrongUsernameOrPasswordError('7', 'late')",
    "ValidationError('x', 'late')",
    "UnauthorizedError('late')",
)


@pytest.mark.parametrize("verdict", LATE_VERDICTS)
@pytest.mark.parametrize("leave", ["throw made;", "Promise.reject(made);"])
async def test_what_is_thrown_after_an_answer_is_no_verdict_on_the_next(
    runtime: Children, verdict: str, leave: str
) -> None:
    """Ann's right password would be called wrong, in the journal too, by what is left of Eve's call."""
    source = f"""function (who, b, callback) {{
        if (who === 'ann') return global.wake();
        global.wake = () => setImmediate(() => {{ const made = new {verdict}; {leave} }});
        callback(null, 1);
    }}"""
    own = script(source, "node")
    assert (await runtime.run(own, ["eve", ""], None)).value == 1
    found = (await runtime.run(own, ["ann", ""], None)).refusal
    assert found is not None
    assert (found.kind, found.message, found.user_id) == ("error", "late", None)
    assert (await runtime.run(own, ["eve", ""], None)).value == 1, "in a new process"


async def test_what_one_prints_after_the_answer_ends_no_other_call() -> None:
    """It is longer than what is read at once, so that it ends for us in the midst of a line."""
    runtime = Children(CountingEntropy(), Limits())
    source = """function (who, b, callback) {
        callback(null, who);
        if (who === 'eve') setImmediate(() => setImmediate(() => console.log('x'.repeat(200000))));
    }"""
    own = script(source, "node")
    for _ in range(3):
        assert (await runtime.run(own, ["eve", ""], None)).value == "eve"
        found = await runtime.run(own, ["ann", ""], None)
        assert found.value == "ann"
        assert [line[:3] for line in found.console] == ["xxx"]
    await runtime.close()


async def test_a_thread_that_prints_on_ends_no_other_call() -> None:
    """Each of its lines is of one call, or of none, and never of one that was answered."""
    source = """
import threading

def on():
    while True: print("x")

def login(a, b):
    if b == "first":
        threading.Thread(target=on, daemon=True).start()
"""
    runtime, own = Children(CountingEntropy(), Limits()), script(source, "python")
    for each in ("first", *["again"] * 300):
        assert (await runtime.run(own, ["ann", each], None)).refusal is None
    await runtime.close()


async def test_a_script_that_never_calls_back_for_strangers_opens_no_circuit(runtime: Children) -> None:
    """Anybody can ask for people who do not exist."""
    own = script("function (a, b, callback) { if (a === 'ann') callback(null, 1); }", "node")
    for _ in range(FAILURES + 1):
        with pytest.raises(ScriptFailed, match="it ended and never called back"):
            await runtime.run(own, ["stranger", ""], None)
    assert (await runtime.run(own, ["ann", ""], None)).value == 1


async def test_strangers_for_whom_a_script_waits_for_ever_do_not_keep_others_out() -> None:
    """It forgets its callback for them, and has a pool open. A database that hangs for all opens the circuit."""
    now = [0.0]
    limits = replace(SMALL, seconds=1, concurrency=FAILURES + 1)
    runtime = Children(CountingEntropy(), limits, seconds=lambda: now[0])
    own = script("import asyncio\nasync def login(a, b): await asyncio.sleep(99 * (a != 'ann'))", "python")

    async def call(who: str) -> object:
        try:
            return (await runtime.run(own, [who, ""], None)).value
        except ScriptFailed as failed:
            return failed.detail

    async def begun(number: int) -> list[asyncio.Task[object]]:
        calls = [asyncio.create_task(call("stranger")) for _ in range(number)]
        await asyncio.sleep(0)
        now[0] += 1.0
        return calls

    alone = "it failed too often, and is left alone for a while"
    calls = await begun(FAILURES)
    assert await call("ann") is None
    assert await asyncio.gather(*calls) == [LATE] * FAILURES
    assert runtime.health(own.connection_id).circuit == "closed", "others were answered while they waited"
    assert await asyncio.gather(*await begun(FAILURES)) == [LATE] * FAILURES
    assert await call("ann") == alone
    now[0] += PAUSE
    calls = await begun(FAILURES + 1)
    assert await call("ann") == alone, "no place is left, and whoever waited for one would wait for nothing"
    assert await asyncio.gather(*calls) == [LATE] * (FAILURES + 1)
    now[0] += 2 * PAUSE
    calls = await begun(1)
    assert await call("ann") is None, "the stranger was first, and not alone"
    assert await asyncio.gather(*calls) == [LATE]
    assert runtime.health(own.connection_id).circuit == "closed"
    await runtime.close()


ODD: dict[ScriptLanguage, str] = {
    "node": """function (a, b, callback) {
        let deep = [];
        for (let level = 0; level < 700; level++) deep = [deep];
        console.log('\\ud83d', '\\0');
        callback(null, {'\\0': '\\0', half: '\\ud83d!', pair: '\\ud83d\\ude00',
            much: 'x'.repeat(b === 'much' ? 1e6 : 0), deep: b === 'deep' ? deep : []});
    }""",
    "python": """
def login(a, b):
    deep = []
    for _ in range(700): deep = [deep]
    print('\\ud83d', '\\0')
    return {'\\0': '\\0', 'half': '\\ud83d!', 'pair': '\\ud83d\\ude00', 'much': 'x' * 10**6 * (b == 'much'),
        'deep': deep if b == 'deep' else []}
""",
}


@pytest.mark.parametrize("language", ["node", "python"])
async def test_what_somebody_has_in_their_profile_stops_nobody_else(
    runtime: Children, language: ScriptLanguage
) -> None:
    """They choose it, and each of their logins would count towards an open circuit."""
    odd = script(ODD[language], language)
    for way, why in (("deep", "more than 100 levels"), ("much", "more than 64 KiB")):
        for _ in range(FAILURES + 1):
            with pytest.raises(ScriptFailed, match=why):
                await runtime.run(odd, ["eve", way], None)
    found = await runtime.run(odd, ["ann", ""], None)
    assert found.value == {"\ufffd": "\ufffd", "half": "\ufffd!", "pair": "\U0001f600", "much": "", "deep": []}
    assert found.console == ("\ufffd \ufffd",)


async def test_a_script_that_refuses_opens_no_circuit(runtime: Children) -> None:
    refuses = script("def login(a, b): raise WrongUsernameOrPasswordError(None, 'no')", "python")
    for _ in range(8):
        assert (await login(runtime, refuses)).refusal is not None


@pytest.mark.parametrize("language", ["node", "python"])
async def test_whoever_leaves_takes_the_call_along(language: ScriptLanguage) -> None:
    """A client that goes away frees the child at once, while it starts too."""
    runtime = Children(CountingEntropy(), Limits(concurrency=1))
    hanging, well = script(LOOPS[language], language), script(WELL[language], language, "con_x")
    for delay in (0.0, 0.01, 0.3):
        task = asyncio.create_task(login(runtime, hanging))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        again = script(WELL[language], language, hanging.connection_id)
        assert isinstance((await login(runtime, again)).value, int)
    pid = (await login(runtime, well)).value
    await runtime.close()
    await gone(pid)


async def test_closing_ends_calls_under_way() -> None:
    runtime = Children(CountingEntropy(), Limits())
    hanging = [asyncio.create_task(login(runtime, script(LOOPS[each], each))) for each in LOOPS]
    await _living(runtime, len(LOOPS))
    children = list(runtime._living)
    await runtime.close()
    for each in hanging:
        with pytest.raises(ScriptFailed):
            await each
    for child in children:
        await gone(child.process.pid)
        await asyncio.to_thread(_is_gone, child.place)


async def _living(runtime: Children, count: int) -> None:
    """Wait until so many children run."""
    async with asyncio.timeout(30):
        while len(runtime._living) < count:  # noqa: ASYNC110 - nobody tells a test of it
            await asyncio.sleep(0.01)


def _is_gone(place: str) -> None:
    while os.path.exists(place):
        time.sleep(0.01)


SERVER = """
import asyncio, json, sys
from keystead.custom_db.limits import Programs
from keystead.custom_db.runner import Children
from keystead.rules.action_scripts import Script

class Entropy:
    def token(self):
        return "a token"

def run(runtime, connection, name, language, source):
    source = source.replace("login", name)
    return runtime.run(Script(connection, name, language, source), ["ann", "pass word"], None)

async def main():
    runtime = Children(Entropy(), programs=Programs(wrapper=tuple(sys.argv[2:])))
    for at, (language, well, loop) in enumerate(json.loads(sys.argv[1])):
        for connection in (f"idle {at}", f"loops {at}"):
            print((await run(runtime, connection, "get_user", language, well)).value, flush=True)
        asyncio.create_task(run(runtime, f"loops {at}", "login", language, loop))  # in the child that is there
    await asyncio.sleep(0.5)
    for child in runtime._living:
        print(child.process.pid, flush=True)
    print("up", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def _is_dead(pid: int) -> None:
    """Wait until a process of nobody's has ended; whoever inherited it clears it away when they like."""
    until = time.monotonic() + 20
    while time.monotonic() < until and os.path.exists(f"/proc/{pid}") and b") Z" not in _of_process(pid, "stat"):
        time.sleep(0.01)
    assert time.monotonic() < until, f"{pid} lives on"


async def test_nothing_outlives_a_server_that_is_killed() -> None:
    """Idle children and such as never look up from their loop, or close what they share with the server."""
    pids = await _pids_of_a_killed_server(
        [*([each, WELL[each], LOOPS[each]] for each in WELL), ["python", WELL["python"], CLOSES]]
    )
    assert len(pids) == 6
    for pid in pids:
        await asyncio.to_thread(_is_dead, pid)


async def test_no_wrapper_outlives_a_server_that_is_killed() -> None:
    """Nor what else it started: all of its group ends."""
    wrapper = ("/bin/sh", "-c", 'trap "" PIPE; "$@"; sleep 60; true', "sh")
    pids = await _pids_of_a_killed_server([["python", WELL["python"], LOOPS["python"]]], *wrapper)
    assert len(pids) == 4, "two wrappers, and what they wrap"
    for pid in pids:
        await asyncio.to_thread(_is_dead, pid)


async def _pids_of_a_killed_server(given: list[list[str]], *wrapper: str) -> set[int]:
    """Start a server that runs scripts, and kill it; return what it had started."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER, json.dumps(given), *wrapper),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
    )
    assert server.stdout is not None
    pids = set()
    while (line := (await server.stdout.readline()).strip()) != b"up":
        pids.add(int(line))
    server.send_signal(signal.SIGKILL)
    await server.wait()
    return pids


THREADED = """
import subprocess, sys, threading
thread = threading.Thread(target=subprocess.call, args=[sys.argv[1:]], kwargs={"close_fds": False})
thread.start()
thread.join()
"""


async def test_memory_counts_whatever_started_it() -> None:
    """A child of a thread is no child of the process's first."""
    runtime = Children(CountingEntropy(), SMALL, Programs(wrapper=(sys.executable, "-c", THREADED)))
    slowly = next(each[2] for each in HOSTILE if each[:2] == ("eats slowly", "python"))
    with pytest.raises(ScriptFailed, match="it took more than 128 MiB of memory"):
        await login(runtime, script(slowly, "python"))
    await runtime.close()


async def test_a_process_that_was_forked_off_begins_anew() -> None:
    """Two processes that ask one child would read each other's answers."""
    runtime = Children(CountingEntropy(), Limits())
    own = script(WELL["python"], "python")
    mine = (await login(runtime, own)).value
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            pid = asyncio.new_event_loop().run_until_complete(_both(runtime, own))
            os.write(writer, str(pid).encode())
        finally:
            os._exit(0)
    os.close(writer)
    theirs = int(await asyncio.to_thread(os.read, reader, 20))
    os.close(reader)
    await asyncio.to_thread(os.waitpid, child, 0)
    assert theirs != mine
    assert (await login(runtime, own)).value == mine
    await runtime.close()


async def _both(runtime: Children, own: object) -> int:
    found: int = (await login(runtime, own)).value  # type: ignore[arg-type]
    await runtime.close()
    return found
