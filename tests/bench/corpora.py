"""Small corpora of foreign systems, made up for this: the style is that of such logs, the lines are nobody's.

Each template is a line that a program could write; its values are of the kinds that masking meets in the wild: numbers,
addresses, paths and identifiers, and words such as users and states, which look like no value.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from doctor.triage.masking import Masker
from doctor.triage.merging import merged

LINES = 2_000
"""Lines of each corpus."""

USERS = ("root", "admin", "guest", "oracle", "deploy", "backup", "tester", "ftp", "nagios", "git", "www-data")
STATES = ("NEW", "QUEUED", "RUNNING", "DONE", "KILLED", "FAILED", "COMMITTING", "LOST")
MODULES = ("network", "storage", "scheduler", "compute", "image", "volume", "identity", "billing")

CORPORA: Mapping[str, tuple[str, ...]] = {
    "blocks of a file system": (
        "fetching {block} from /{address} for /{address}",
        "stored {block}, {number} bytes, as replica {small} on {address}",
        "checksum of {block} is good",
        "dropping {block} at {path}: no file refers to it",
        "{address}: could not serve {block} to /{ip}: broken pipe",
        "placement of {path} goes to {block}",
    ),
    "jobs of a cluster": (
        "{task} went from {state} to {state}",
        "{task} is at {fraction} of its input",
        "{task} gets {container} on {host}:{port}",
        "headroom is <memory:{number}, cores:{negative}>, {small} reducers wait",
        "CANNOT REACH THE RESOURCE MANAGER, trying again",
        "counters: maps={small} reduces={small} killed={small}",
    ),
    "stages of an engine": (
        "task {fraction} of stage {fraction} begins (TID {number})",
        "task {fraction} of stage {fraction} ends (TID {number}), {number} bytes for the driver",
        "partition rdd_{small}_{small} is in memory ({size} KB of {size} MB)",
        "split hdfs://{address}{path}:{number}+{number}",
        "shuffle {small} has all of its outputs",
    ),
    "sessions of a coordinator": (
        "session 0x{hex} opened by /{address}, expires after {number} ms",
        "session 0x{hex} closed by /{address}",
        "vote of {small} for {small} in round 0x{hex8}",
        "nobody answers at /{address}, my id is {small}",
        "the writing thread ends",
        "snapshot 0x{hex} written to {path}",
    ),
    "errors of a supercomputer": (
        "cache line with wrong parity, corrected",
        "core.{number} is being written",
        "{number} alignment faults in double precision",
        "symbol {small} at 0x{hex8} masked by 0x{hex8}",
        "stream to {address} ends in the middle of a message",
        "rank {small} has too many soft errors, card may be bad",
    ),
    "a machine room": (
        "command {number} starts nodes-[{number}-{number}]",
        "node-{number} does not answer",
        "fans turn at ( {number} {number} {number} {number} )",
        "domain {disk} has panicked",
        "supply is ( on off )",
        "temperature {small} is above the limit of {small}",
    ),
    "a server": (
        "pam: no entry for {user}, uid={small} tty=ssh rhost={host}",
        "cron: ({user}) RUN {path}",
        "kernel: process {number} ({module}) killed, out of memory",
        "clock follows {ip}, stratum {small}, offset {fraction} ms",
        "lease of {ip} for {mac} on eth{small}",
        "interrupt {small} of {pci} routed to {small}",
        "audit is off",
    ),
    "logins": (
        "wrong password of {user} from {ip} port {port}",
        "no such user {user} from {ip}",
        "{user} logged in from {ip} port {port} by key",
        "{ip} closed before it said who it is",
        "name of {ip} is {host}, which is not its address",
        "{small} more failures of rhost={ip} user={user}",
    ),
    "a web server": (
        "child {number} takes slot {small}",
        "[client {ip}] may not list {path}",
        "worker {small} is in state {negative}",
        "module initialised from {path}",
        "no child {number} in the table",
    ),
    "updates of a desktop": (
        "stack v{version} loaded from {windows}",
        "{hex8} transaction {small} begins, handle @0x{hex8}",
        "session {number}_{number} is ready",
        "attribute of a package is not known",
        "{date} library 0.0.0.{small} called (stack @0x{hex})",
    ),
    "a telephone": (
        'lock={number} taken, flags=0x{hex8}, tag="{tag}", uid={number}',
        'lock={number} given back, flags=0x{hex8}, tag="{tag}", uid={number}',
        "visible={hex8} before={hex8} difference={hex8}",
        "key {small} down, repeated {small}",
        "ready=true,policy={small},asleep={small}",
    ),
    "a counter of steps": (
        "steps##{number}##{number}##{number}",
        "calories={number}",
        "action:screen.is.on",
        "height changed by {negative}",
        "sensor emptied",
    ),
    "a proxy": (
        "{host}:{port} opened by {host}:{port} HTTPS",
        "{host}:{port} ended, {number} bytes out, {number} bytes in, after {clock}",
        "{host}:{port} refused by {host}:{port} with {code}",
    ),
    "a cloud": (
        '{ip} "GET /v2/{hex}/servers HTTP/1.1" status: {code} len: {number} time: {fraction}',
        '{ip} "POST /v2/{hex}/events HTTP/1.1" status: {code} len: {number} time: {fraction}',
        "[instance: {uuid}] is {state} now",
        "[instance: {uuid}] built in {fraction} seconds",
        "[instance: {uuid}] has {number} MB, uses {fraction} MB",
        "base file {path} is in use",
        "image {uuid} at ({path}) is looked at",
    ),
    "a laptop": (
        "wl0: sequence {number}, acknowledged {number}, window {number}",
        "en0 joined {mac}",
        "pressure of heat {small}, of memory {small}",
        "{module}({number}) denied({small}) lookup",
        "outlet is missing, no setter found",
        "answer took {number} ms ({small}, power)",
    ),
    "mail": (
        "{mail}: from=<{sender}>, size={number}, {small} recipients",
        "{mail}: to=<{sender}>, relay={host}[{ip}]:{small}, delay={fraction}, sent (id {mail})",
        "{mail}: gone",
        "{host}[{ip}] greets",
        "{host}[{ip}] leaves",
    ),
}

_FIELD = re.compile(r"\{(\w+)\}")


def _ip(chance: random.Random) -> str:
    return ".".join(str(chance.randrange(1, 255)) for _ in range(4))


def _hexadecimal(chance: random.Random, digits: int) -> str:
    return f"{chance.getrandbits(4 * digits):0{digits}x}"


def _host(chance: random.Random) -> str:
    return f"{chance.choice(MODULES)}-{chance.randrange(999)}.{chance.choice(('example.com', 'example.net'))}"


VALUES: Mapping[str, Callable[[random.Random], str]] = {
    "number": lambda chance: str(chance.randrange(100, 90_000)),
    "negative": lambda chance: str(-chance.randrange(1, 90_000)),
    "small": lambda chance: str(chance.randrange(30)),
    "code": lambda chance: str(chance.choice((200, 202, 204, 404))),
    "port": lambda chance: str(chance.randrange(1024, 65_000)),
    "fraction": lambda chance: f"{chance.random() * 50:.3f}",
    "size": lambda chance: f"{chance.random() * 500:.1f}",
    "version": lambda chance: f"{chance.randrange(1, 9)}.{chance.randrange(20)}.{chance.randrange(9_999)}",
    "ip": _ip,
    "address": lambda chance: f"{_ip(chance)}:{chance.randrange(1024, 65_000)}",
    "host": _host,
    "sender": lambda chance: f"{chance.choice(USERS)}@{_host(chance)}",
    "block": lambda chance: f"blk_{chance.randrange(-(10**18), 10**18)}",
    "task": lambda chance: (
        f"attempt_{chance.randrange(10**9)}_{chance.randrange(9):04d}_m_{chance.randrange(999):06d}_0"
    ),
    "container": lambda chance: f"container_{chance.randrange(10**9)}_01_{chance.randrange(999):06d}",
    "hex": lambda chance: _hexadecimal(chance, 16),
    "hex8": lambda chance: _hexadecimal(chance, 8),
    "mail": lambda chance: _hexadecimal(chance, 10).upper(),
    "uuid": lambda chance: "-".join(_hexadecimal(chance, digits) for digits in (8, 4, 4, 4, 12)),
    "mac": lambda chance: ":".join(_hexadecimal(chance, 2) for _ in range(6)),
    "pci": lambda chance: f"0000:{_hexadecimal(chance, 2)}:{_hexadecimal(chance, 2)}.0",
    "path": lambda chance: f"/{chance.choice(MODULES)}/{chance.choice(USERS)}/part-{chance.randrange(9_999)}",
    "windows": lambda chance: f"C:\\Windows\\cache\\amd64_{_hexadecimal(chance, 16)}\\core.dll",
    "tag": lambda chance: f"{chance.choice(MODULES)}Lock",
    "disk": lambda chance: f"storage{chance.randrange(500)}",
    "date": lambda chance: (
        f"2026-11-{chance.randrange(1, 29):02d} {chance.randrange(24):02d}:07:{chance.randrange(60):02d}"
    ),
    "clock": lambda chance: f"{chance.randrange(24):02d}:{chance.randrange(60):02d}",
    "user": lambda chance: chance.choice(USERS),
    "state": lambda chance: chance.choice(STATES),
    "module": lambda chance: chance.choice(MODULES),
}


def lines_of(name: str) -> Iterator[tuple[str, int]]:
    """Yield the lines of a corpus, each with the number of its template; a few templates have most of the lines."""
    chance = random.Random(name)
    templates = CORPORA[name]
    weights = [1 / (place + 1) for place in range(len(templates))]
    for number in chance.choices(range(len(templates)), weights, k=LINES):
        yield _FIELD.sub(lambda match: VALUES[match[1]](chance), templates[number]), number


def grouping_accuracy(name: str) -> float:
    """Return the part of a corpus whose groups each hold all lines of one template and no other."""
    masker = Masker()
    masked = [(masker.mask(text), number) for text, number in lines_of(name)]
    shown = merged(mask for mask, _ in masked)
    groups: dict[str, list[int]] = defaultdict(list)
    sizes: dict[int, int] = defaultdict(int)
    for mask, number in masked:
        groups[shown[mask]].append(number)
        sizes[number] += 1
    whole = [group for group in groups.values() if len(set(group)) == 1 and len(group) == sizes[group[0]]]
    return sum(map(len, whole)) / LINES
