"""Dagster assets made from the rules of a stream: one mechanism for every table.

Belongs here: what an asset does around its rule: compare fingerprints, compute or not, write, judge. Does not belong
here: the rules and checks themselves, how a table is written (``warehouse.io_manager``).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from revenue_integrity import clock
from revenue_integrity.close.judgement import Check, Judgement
from revenue_integrity.orchestration import check_factory, ingestion, lineage
from revenue_integrity.orchestration.instance import POOL
from revenue_integrity.orchestration.partitions import month_of, window
from revenue_integrity.orchestration.staleness import present_fingerprint
from revenue_integrity.settings import Settings
from revenue_integrity.streams.rules import Reads, Rule
from revenue_integrity.streams.stream import Stream, checks_of
from revenue_integrity.warehouse.catalog import read_catalog, version_of_rule
from revenue_integrity.warehouse.table import Table
