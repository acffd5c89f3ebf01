"""Compare the CPU time of this package and its alternatives with httpx and the bare frameworks.

Run it with ``make bench``, or with ``make bench QUICK=1`` for less than two minutes.
"""

import argparse

from benchmarks.measurement import Measurements, measure, running_server
from benchmarks.report import format_header, format_row, format_startup, write_results
from benchmarks.startup import measure_memory_growth, measure_startup
from benchmarks.workloads import WORKLOADS

_MEMORY_CALLS = 10_000


def main() -> None:
    """Measure the workloads, print the tables, and write them to files with ``--write``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer workloads, clients and samples")
    parser.add_argument("--only", default="", help="only workloads whose title contains this")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results")
    options = parser.parse_args()
    results: dict[str, Measurements] = {}
    startup = ""
    print(format_header())
    for workload in WORKLOADS:
        if options.only in workload.title and (workload.quick_clients or not options.quick):
            results[workload.title] = measure(workload, quick=options.quick)
            print(format_row(workload.title, results[workload.title]), flush=True)
    if not options.only:
        with running_server() as server_url:
            processes = measure_startup(server_url, runs=1 if options.quick else 5)
            growth = {} if options.quick else measure_memory_growth(server_url, _MEMORY_CALLS)
        startup = format_startup(processes, growth)
        print(f"\n{startup}")
    if options.write:
        write_results(results, startup)


if __name__ == "__main__":
    main()
