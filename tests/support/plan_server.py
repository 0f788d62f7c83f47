"""Dry runs of Snakemake without loading it each time: reads requests from standard input, and forks for each.

A request is a line of JSON: the folder to run in, the arguments, the file for what Snakemake prints, and a time limit
in seconds. The answer is a line with the exit code; negative is the signal that ended it.
"""

import json
import os
import signal
import sys

import snakemake.cli


def plan(directory: str, arguments: list[str], output: str, timeout: int) -> None:
    """Run Snakemake in this process, which ends with it."""
    signal.alarm(timeout)  # its default action ends the process, whatever Snakemake does
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.chdir(directory)
    snakemake.cli.main(arguments)
    sys.exit()


if __name__ == "__main__":
    snakemake.cli.get_argument_parser()  # loads all plugins, once for all forks
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            plan(**request)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
