"""What happens while an application starts."""

from doctor.api import Hypothesis, KnownSignature

SIGNATURES = (
    KnownSignature(
        "index-not-initialised",
        "content is not indexed because the service is not ready yet",
        hint="service not initialized for user",
        pattern=r"Cannot \w+(?: \w+){0,3} - service not initialized for user",
        examples=("Cannot index content - service not initialized for user user_1",),
        area="source",
        hypotheses=(
            Hypothesis("an initialisation is started in the background and taken for done at once", "INI001"),
            Hypothesis("a flag says that it is in progress, and was never taken back", "INI003"),
            Hypothesis("it is started twice at the same time", "INI002"),
        ),
    ),
    KnownSignature(
        "address-in-use",
        "a server cannot start because its port is taken",
        hint="ddress already in use",
        pattern=r"[Aa]ddress already in use",
        examples=("[Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use",),
        area="source",
        hypotheses=(Hypothesis("another process, perhaps an older one of the same program, has the port"),),
    ),
    KnownSignature(
        "module-not-found",
        "a module cannot be imported",
        hint="No module named",
        pattern=r"No module named '(?P<module>[\w.]+)'",
        examples=("ModuleNotFoundError: No module named 'app.tasks'",),
        area="source",
        hypotheses=(Hypothesis("a file cannot be parsed, and its import is caught somewhere", "DOC010"),),
        kinds={"module": "module"},
    ),
)
