"""A worker as the application's is, but for what it does with a job: it notes
it as a line of JSON and leaves, or stays in the room where WORKER_STAYS is set."""

import json
import os
import sys

from livekit.agents import AgentServer, JobContext, JobExecutorType, cli

NAME = os.environ["WORKER_NAME"]
JOBS = os.environ["WORKER_JOBS"]
STAYS = os.environ.get("WORKER_STAYS")

# The load of a machine that is busy testing says nothing about a worker. Of the jobs
# that it has said yes to and not begun, it takes no more than it has idle runners.
server = AgentServer(
    host="127.0.0.1",
    port=0,
    job_executor_type=JobExecutorType.THREAD,
    num_idle_processes=8,
    load_fnc=lambda *_: 0.0,
    load_threshold=0.99,
    drain_timeout=1,
)


@server.rtc_session(agent_name=NAME)
async def entry(context: JobContext) -> None:
    job = {"room": context.room.name, "id": context.job.id, "metadata": context.job.metadata}
    with open(JOBS, "a", encoding="utf-8") as jobs:
        jobs.write(json.dumps(job) + "\n")
    if STAYS:
        await context.connect()
    else:
        context.shutdown()


if __name__ == "__main__":
    sys.argv[1:] = ["start"]
    cli.run_app(server)
