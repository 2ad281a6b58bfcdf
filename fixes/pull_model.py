"""Makes an Ollama server download the configured model. Unsafe: it takes gigabytes and undo does not remove it."""

from doctor.api import Fix, FixContext, Models, NothingToDoError, Phase, Plan, Writers, same_model


async def plan(context: FixContext) -> Plan:
    """See whether the model is there by now."""
    models: Models = context.resources["models"]
    server, model = str(context.arguments["server"]), str(context.arguments["model"])
    if any(same_model(installed.name, model) for installed in await models.ollama(server).list()):
        raise NothingToDoError(f"{server} has `{model}` by now")
    return Plan(
        summary=f"pull `{model}` to {server}",
        preview=f"POST {server}/api/pull {model}",
        touches=(f"model {model}",),
        estimate="as long as the download takes",
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Pull, showing the server's own progress."""
    await writers.models.pull(str(context.arguments["server"]), str(context.arguments["model"]), writers.progress)
    return f"pulled `{context.arguments['model']}`"


PULL_MODEL = Fix(
    name="pull-model",
    title="download a model to its server",
    phase=Phase.CONFIGURATION,
    needs=("models",),
    reverts=False,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)
