"""The symptoms of models, queues and authentication: what people see, the question that decides, and what it is not.

One line for each cause that a symptom can have. A test that bears ``symptom`` produces it on the wire and holds the run
against its line; one that bears ``variation`` gives the same symptom another cause. ``docs/symptoms.md`` is this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from doctor.model import CheckResult


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of a symptom.

    ``number`` is the symptom's; a letter tells its causes apart. ``says`` are words of the verdict of ``check``: of a
    finding, or of the reason why nobody can tell, or of what it saw where the cause is no fault. The run that names it
    must have refuted the ``look_alikes``.
    """

    number: str
    symptom: str
    question: str
    cause: str
    check: str
    says: str
    look_alikes: tuple[str, ...] = ()

    def is_named_by(self, results: Iterable[CheckResult]) -> bool:
        """Tell whether a run names this cause."""
        return any(self.says in words for words in self.said_by(results))

    def said_by(self, results: Iterable[CheckResult]) -> list[str]:
        """Return what the check of this cause says in a run."""
        return [words for result in results if result.code == self.check for words in _words(result)]

    def left_open_by(self, results: Iterable[CheckResult]) -> list[str]:
        """Return the look-alikes that a run has not refuted."""
        refuted = {each.rules_out.partition(" (")[0] for result in results for each in result.observations}
        return [each for each in self.look_alikes if each not in refuted]


def _words(result: CheckResult) -> Iterator[str]:
    for finding in result.findings:
        yield "\n".join((finding.symptom, finding.cause, *finding.impacts))
    yield result.reason
    yield from (each.text for each in result.observations)


DOWN, BASE_URL, MISSING, KEY = "model server down", "base URL wrong", "model missing", "key refused"
NATS_DOWN, JETSTREAM_OFF, STREAM_MISSING, NO_WORKER = "NATS down", "JetStream off", "stream missing", "worker down"
UNSTARTED, TOO_LARGE = "broker never started", "payload too large"
NO_KEYS, SKEW, ISSUER = "signing keys out of reach", "clock skew", "misspelt issuer"
UNKNOWN_KEY, FORGED, EXPIRED = "unknown signing key", "forged or damaged token", "expired token"

_NO_CALL = "`'function' object has no attribute 'kiq'`"
_NOT_SENT = "`SendTaskError: Cannot send task to the queue`"
_NEVER_RUN = "published, never executed"
_TWICE = "a task runs twice"
_REPOSITORY = "`RepositoryNotFoundError`"
_UNKNOWN_KEY = "all tokens 401, `Unable to find a signing key`"
_DIMENSIONS = "`expected N dimensions, not M`"
_START = "stuck at the start, the health page refuses"

ALL: tuple[Cause, ...] = (
    Cause("1", "404 for every model", "a model that cannot exist gets the same answer as the configured one",
          "the path of the base URL", "MOD005", "knows no path of its kind", (DOWN, MISSING, KEY)),
    Cause("2", "410, `no longer supported`", "the server says so of its address",
          "a retired address", "MOD005", "says that it is no longer served", (DOWN, MISSING, KEY)),
    Cause("3a", "the name does not resolve", "it is a service of the compose file; its published port answers",
          "nobody can tell from here", "MOD002", "cannot tell from here", (DOWN,)),
    Cause("3b", "`localhost` refuses, in a container", "`host.docker.internal` answers at the same port",
          "`localhost` is the container itself", "MOD002", "inside a container `localhost` is the container itself",
          (DOWN,)),
    Cause("4a", "refused at port 80", "Ollama's own port answers",
          "an address without a port", "MOD002", "an address without a port means port 80", (DOWN,)),
    Cause("4b", "`0.0.0.0` as a client's address", "the address itself",
          "where a server listens was taken for where it is", "MOD002", "gives clients an address to listen at",
          (DOWN, MISSING)),
    Cause("5", "403 without a word, from Ollama", "the same with `Host: localhost`",
          "the guard of host names", "MOD002", "it refuses the host name", (DOWN, BASE_URL, KEY)),
    Cause("6a", "the model is missing, though the server has it", "the names as the server compares them",
          "another tag", "MOD001", "only with another tag", (DOWN, BASE_URL)),
    Cause("6b", "the model is missing, though it was pulled", "the server's list is empty",
          "a fresh server, another one, or a volume that is not mounted", "MOD001", "has no model at all",
          (DOWN, BASE_URL)),
    Cause("7", "the first call times out, later ones do not", "what is in memory before the call",
          "a cold start, and a client that waits too short", "MOD011", "it was not in memory when it was asked",
          (DOWN, BASE_URL, MISSING)),
    Cause("8", "JSON ends early, the prompt's start is forgotten", "the loaded context, prompt and answer",
          "`num_ctx`", "MOD013", "the code sets no `num_ctx`", (DOWN, MISSING, "model too small")),
    Cause("9a", "NULL embeddings for some rows", "their text",
          "there is nothing to embed", "EMB001", "without text need none", ("rows that nothing embeds",)),
    Cause("9b", "NULL embeddings for all rows of late", "which rows are due; who enqueues the task, and who runs it",
          "nothing embeds new rows", "EMB001", "nothing embeds new rows",
          (NO_WORKER, MISSING, "vectors of another length")),
    Cause("10a", _DIMENSIONS, "the server's word for the model, the column, the configured number",
          "the column", "EMB002", "messages.embedding takes 1536 dimensions", ("model of another length",)),
    Cause("10b", _DIMENSIONS, "the same", "the configured number", "EMB002",
          "`EMBEDDING_DIMENSIONS=1024` means 1024", ("vectors of another length",)),
    Cause("10c", _DIMENSIONS, "the same", "the model", "EMB002", "`mxbai-embed-large` means 1024",
          ("column of another length",)),
    Cause("11a", _REPOSITORY, "`whoami`", "the token is bad", "MOD006", "the key is refused", (DOWN, BASE_URL)),
    Cause("11b", _REPOSITORY, "`auth-check` says GatedRepo", "a licence that was not accepted", "MOD006",
          "its licence has not been accepted", (DOWN, BASE_URL, KEY)),
    Cause("11c", _REPOSITORY, "the token is good and a public repository resolves", "the name, or it was deleted",
          "MOD001", "is not on", (DOWN, BASE_URL, KEY)),
    Cause("11d", _REPOSITORY, "there is no token", "missing or private: nobody can tell without one", "MOD001",
          "missing or private: the Hub answers 401 to both", (DOWN, BASE_URL)),
    Cause("11e", _REPOSITORY, "a public repository does not resolve either", "the Hub's address", "MOD001",
          "does not even know", (DOWN, BASE_URL, KEY)),
    Cause("11f", "`HFValidationError`", "the name itself", "a provider of the router, given to the Hub", "MOD010",
          "the provider `groq` behind the colon is for the router"),
    Cause("12a", "`not supported by any provider you have enabled`", "the Hub's mapping and the router's list",
          "nobody runs it", "MOD007", "no provider runs", (DOWN, BASE_URL, KEY, MISSING)),
    Cause("12b", "`not supported by any provider you have enabled`", "one real generation", "the account's settings",
          "MOD011", "no enabled provider", (DOWN, BASE_URL, KEY, MISSING, "model not served")),
    Cause("12c", "`not supported by any provider you have enabled`", "one real generation", "the token's permission",
          "MOD011", "permission missing", (DOWN, BASE_URL, KEY, MISSING, "model not served")),
    Cause("13a", _START, "what runs before the server listens, and the cache of the Hub's client", "a download",
          "INI004", "`snapshot_download` runs before", (NATS_DOWN,)),
    Cause("13b", _START, "what runs before the server listens", "the signing keys are fetched", "INI004",
          "`PyJWKClient.get_signing_keys` runs before", (NATS_DOWN,)),
    Cause("13c", _START, "NATS itself", "`nats.connect` tries a server that is away for two minutes", "NAT001",
          "tries for two minutes before it fails", ("start blocked by the download of Qwen/Qwen2.5-7B-Instruct",)),
    Cause("14", _NO_CALL, "the order of the decorators", "the task is hidden by a wrapper", "TSK001",
          "stands above `@broker.task`", (NATS_DOWN, JETSTREAM_OFF, STREAM_MISSING, UNSTARTED)),
    Cause("15a", _NOT_SENT, "where the code starts its broker", "it is never started in the API", "TSK012",
          "nothing starts it", (NATS_DOWN, JETSTREAM_OFF, STREAM_MISSING)),
    Cause("15b", _NOT_SENT, "the streams of the server", "no stream takes the subject", "NAT004",
          "no stream of NATS", (NATS_DOWN, JETSTREAM_OFF, UNSTARTED)),
    Cause("15c", _NOT_SENT, "the dead letter's words, and the limit of the server", "the payload is above 1 MiB",
          "NAT008", "its payload is above", (NATS_DOWN, JETSTREAM_OFF, STREAM_MISSING)),
    Cause("16a", _NEVER_RUN, "`num_pending`, `num_waiting`, the processes", "no worker runs", "WRK001",
          "no worker runs here", (STREAM_MISSING, "too many unacknowledged", "another process takes the tasks",
                                  "worker that waits for a full batch", "consumer paused")),
    Cause("16b", _NEVER_RUN, "the same, and a worker lives", "it lost its pull request with a restart of NATS",
          "WRK001", "the worker lost its pull request",
          (NO_WORKER, STREAM_MISSING, "too many unacknowledged", "another process takes the tasks",
           "worker that waits for a full batch", "consumer paused")),
    Cause("16c", _NEVER_RUN, "`num_ack_pending` stays below a batch", "a worker waits for a full batch", "WRK001",
          "the worker waits for a full batch",
          (STREAM_MISSING, "too many unacknowledged", "another process takes the tasks", "lost pull request",
           "consumer paused")),
    Cause("16d", _NEVER_RUN, "who holds the push consumer", "the API took the tasks", "WRK001",
          "another process takes the tasks",
          (STREAM_MISSING, "too many unacknowledged", "lost pull request", "worker that waits for a full batch",
           "consumer paused")),
    Cause("16e", _NEVER_RUN, "`num_ack_pending` against `max_ack_pending`, for longer than `ack_wait`",
          "too many tasks are unacknowledged", "WRK001", "too many tasks are unacknowledged",
          (STREAM_MISSING, "another process takes the tasks", "lost pull request",
           "worker that waits for a full batch", "consumer paused")),
    Cause("16f", _NEVER_RUN, "what the worker imports, what the code sends", "acknowledged and dropped as unknown",
          "WRK002", "does not know it", (NATS_DOWN, JETSTREAM_OFF, STREAM_MISSING, NO_WORKER)),
    Cause("17", "no stream at all, though the broker uses NATS", "the class of the broker; who listens",
          "plain NATS keeps nothing", "WRK004", "nobody listens to",
          (NATS_DOWN, JETSTREAM_OFF, "task multiplied")),
    Cause("18a", _TWICE, "deliveries beyond tasks, seconds against `ack_wait`", "`ack_wait` is too short", "WRK003",
          "`ack_wait` is shorter than the task", (NATS_DOWN, JETSTREAM_OFF, STREAM_MISSING, "task sent twice",
                                                  "no queue group")),
    Cause("18b", _TWICE, "the listeners of the subject", "plain NATS without a queue group", "WRK004",
          "the broker has no queue group", (NATS_DOWN, NO_WORKER, "ack_wait too short")),
    Cause("18c", _TWICE, "deliveries beyond tasks: there are none", "the sender sent it twice", "WRK003",
          "nothing delivered twice", ("tasks delivered twice",)),
    Cause("19", "the worker crash-loops, `consumer name already in use`", "the class of the broker",
          "a push consumer is for one process", "NAT003", "a push consumer is bound by one process",
          (NATS_DOWN, JETSTREAM_OFF, STREAM_MISSING)),
    Cause("20a", "new settings of the stream have no effect", "the code's settings and the server's",
          "a stream that exists keeps its own", "NAT006", "a stream that exists keeps its settings",
          (NATS_DOWN, STREAM_MISSING, "stream full")),
    Cause("20b", "the storage grows for ever", "what is done and still there; the limits",
          "retention `limits` without a limit", "NAT005", "its retention is `limits`, and it has no limit",
          (NATS_DOWN, STREAM_MISSING, "stream full", "settings drift")),
    Cause("21", "`wait_result` gives None at once", "the broker's result backend", "there is none", "TSK013",
          "that nobody keeps", (NATS_DOWN, JETSTREAM_OFF, STREAM_MISSING, UNSTARTED)),
    Cause("22", "`/healthz` is green, and publishing fails", "the server's greeting", "JetStream is off", "NAT002",
          "runs without JetStream", (NATS_DOWN,)),
    Cause("23a", _UNKNOWN_KEY, "the token's issuer and key beside the settings", "another instance", "AUT011",
          "it is of another instance", (NO_KEYS, SKEW, ISSUER, EXPIRED)),
    Cause("23b", _UNKNOWN_KEY, "the keys, fetched once more", "a rotation, and a cache", "AUT011",
          "appeared only when the keys were fetched again",
          (NO_KEYS, SKEW, ISSUER, EXPIRED, "token of another issuer")),
    Cause("23c", _UNKNOWN_KEY, "the keys that the secret key opens", "the address of the keys is another instance's",
          "AUT008", "another instance", (NO_KEYS, SKEW, "token of another issuer", EXPIRED)),
    Cause("24a", "`InvalidIssuerError`", "the issuer's own name, letter by letter", "the setting", "AUT009",
          "is not written as the provider writes it", (NO_KEYS, SKEW, FORGED, UNKNOWN_KEY, EXPIRED)),
    Cause("24b", "`InvalidSignatureError`, the `kid` is right", "the signature with both keys",
          "the static key is another instance's", "AUT011", "and right with the published one",
          (NO_KEYS, SKEW, ISSUER, FORGED, UNKNOWN_KEY)),
    Cause("24c", "`InvalidSignatureError`, the `kid` is right", "the signature with both keys", "a forged token",
          "AUT011", "it was forged or changed on its way",
          (NO_KEYS, SKEW, ISSUER, UNKNOWN_KEY, EXPIRED, "static key of another instance")),
    Cause("25a", "`ImmatureSignatureError`", "this clock and the `Date` of the keys", "this clock is behind", "AUT010",
          "s behind the identity provider's", (NO_KEYS, ISSUER, FORGED, UNKNOWN_KEY, EXPIRED)),
    Cause("25b", "`ExpiredSignatureError`", "the same", "this clock is ahead", "AUT010",
          "s ahead of the identity provider's", (NO_KEYS, ISSUER, FORGED, UNKNOWN_KEY, "token from the future")),
    Cause("25c", "`ExpiredSignatureError`", "the same", "the sender kept the token", "AUT011",
          "its sender kept it too long", (NO_KEYS, SKEW, ISSUER, FORGED, UNKNOWN_KEY)),
    Cause("26a", "500 for every token", "what is served in place of the keys", "a page for people", "AUT005",
          "a page for people", (ISSUER, EXPIRED)),
    Cause("26b", "500 for a forged token", "the algorithms in the source", "`HS256` beside `RS256`", "AUT013",
          "takes RS256, HS256 with one key", (NO_KEYS, ISSUER)),
    Cause("27a", "works for minutes, then fails", "the address of the keys", "it is out of reach", "AUT005",
          "nothing listens", (ISSUER,)),
    Cause("27b", "works for minutes, then fails", "the same, without following", "a redirect", "AUT005",
          "follows no redirect from 2.14 on", (ISSUER,)),
    Cause("28", "the host of the keys does not exist", "its first part, decoded", "a key that nobody decoded",
          "AUT012", "decoded it is", ("malformed publishable key", EXPIRED)),
    Cause("29a", "401 for one client only", "its `azp`", "an origin that is not on the list", "AUT011",
          "a page of an origin that is not allowed",
          (NO_KEYS, SKEW, ISSUER, FORGED, UNKNOWN_KEY, EXPIRED, "token for another audience")),
    Cause("29b", "401 for one client only", "its `aud`", "a JWT template", "AUT011",
          "an audience that the verifier does not expect",
          (NO_KEYS, SKEW, ISSUER, FORGED, UNKNOWN_KEY, EXPIRED)),
)  # fmt: skip

CAUSES = {cause.number: cause for cause in ALL}
