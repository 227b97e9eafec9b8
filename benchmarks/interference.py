"""The two planes of the real server, loaded alone and together."""

import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks import bellwether
from benchmarks.bellwether import Server
from benchmarks.cells import Cell, Summary, find, run_cell, run_load
from benchmarks.load import LoadResult, Plan
from benchmarks.stats import ratio

ADMIN_PAGE = "/admin/monitoring/prediction/"
ADMIN_CLIENTS = 4
PREDICT_CLIENTS = (8, 32)
PREDICT, ADMIN = "predict, real model", "admin page"


def predict_plan(server: Server, texts: Sequence[str], clients: int, seconds: float) -> Plan:
    return Plan(
        port=server.port,
        path=bellwether.PREDICT,
        clients=clients,
        seconds=seconds,
        headers=bellwether.get_headers(server),
        bodies=[json.dumps({"inputs": text}) for text in texts],
        must_hold='"predictions":[{"id":"',
    )


def admin_plan(server: Server, cookie: str, seconds: float) -> Plan:
    return Plan(
        port=server.port,
        method="GET",
        path=ADMIN_PAGE,
        clients=ADMIN_CLIENTS,
        seconds=seconds,
        headers={"Cookie": cookie},
        must_hold="<table",
    )


def measure(
    server: Server, cookie: str, texts: Sequence[str], number: int, seconds: float
) -> list[Cell]:
    """Load each plane alone and both together; one round."""
    scratch, pid = server.home, server.pid
    admin = admin_plan(server, cookie, seconds)
    predicts = [predict_plan(server, texts, clients, seconds) for clients in PREDICT_CLIENTS]
    cells = [run_cell(PREDICT, number, plan, scratch, pid=pid) for plan in predicts]
    cells.append(run_cell(ADMIN, number, admin, scratch, pid=pid))
    for plan in predicts:
        with ThreadPoolExecutor(2) as both:
            loads = list(both.map(lambda each: run_load(each, scratch), (plan, admin)))
        cells.append(_together(told_beside(PREDICT, f"{ADMIN_CLIENTS} admin"), number, loads[0]))
        cells.append(_together(told_beside(ADMIN, f"{plan.clients} predict"), number, loads[1]))
    return cells


def _together(side: str, number: int, load: LoadResult) -> Cell:
    # One process's CPU time cannot be shared out between two kinds of request.
    return Cell(side=side, round=number, load=load, cpu_ms=math.nan)


def told_beside(what: str, others: str) -> str:
    return f"{what}, beside {others}"


def ratios(rows: Sequence[Summary]) -> list[str]:
    """Return how much slower each plane is while the other works."""
    lines = []
    for clients in PREDICT_CLIENTS:
        alone = find(rows, PREDICT, clients)
        beside = find(rows, told_beside(PREDICT, f"{ADMIN_CLIENTS} admin"), clients)
        lines.append(
            f"  predict, {clients} clients, beside admin / alone: {_slower(beside, alone)}"
        )
    alone = find(rows, ADMIN, ADMIN_CLIENTS)
    for clients in PREDICT_CLIENTS:
        beside = find(rows, told_beside(ADMIN, f"{clients} predict"), ADMIN_CLIENTS)
        lines.append(f"  admin page, beside {clients} predict / alone: {_slower(beside, alone)}")
    return lines


def _slower(beside: Summary, alone: Summary) -> str:
    p50, p99 = ratio(beside.p50_ms, alone.p50_ms), ratio(beside.p99_ms, alone.p99_ms)
    return f"p50 x {p50:.2f}, p99 x {p99:.2f}, answers/s x {ratio(beside.per_s, alone.per_s):.2f}"
