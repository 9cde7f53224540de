"""The IO manager as Dagster uses it: rows that break their declaration are put on record as a failed check.

Belongs here: the bridge between a write that was refused and its check. Does not belong here: writing.
"""

from collections.abc import Mapping

import dagster as dg

from revenue_integrity import confidential
from revenue_integrity.errors import RevenueIntegrityError
from revenue_integrity.model.table import Table
from revenue_integrity.orchestration.io_manager import WarehouseIOManager
from revenue_integrity.orchestration.table_assets import report_violation
from revenue_integrity.settings import Settings
from revenue_integrity.warehouse.validation import SchemaViolation


class ReportingIOManager(WarehouseIOManager):
    """Writes through the warehouse's IO manager; only schema errors become a failed check, what else fails is a crash."""

    def __init__(self, settings: Settings, tables: Mapping[tuple[str, ...], Table]) -> None:
        super().__init__(settings, tables)
        self._settings = settings

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Write, or put on record why not."""
        try:
            super().handle_output(context, obj)
        except SchemaViolation as violation:
            raise report_violation(context, violation, self._settings) from violation
        except RevenueIntegrityError as error:
            raise dg.Failure(confidential.struck(str(error), self._settings)) from None
