"""Whom a process reads for: everybody, or one tenant.

Belongs here: what a process that reads for a tenant is refused, and how a tenant's name is written. Does not belong here: which
datasets have tenants (``catalogue``), reading them (``export``).
"""

from revenue_integrity.errors import Refusal, UsageError
from revenue_integrity.settings import Settings


def refuse_for_tenant(settings: Settings, command: str) -> None:
    """Refuse a command of a process that reads for a tenant, except ``export``, which judges by itself (``export.read``).

    Raises:
        Refusal: the process reads for a tenant.
    """
    if settings.tenant is not None and command != "export":
        raise Refusal(
            f"'{command}' is refused: this process reads for one tenant",
            "Only the tenant's published data can be read, with `export`",
        )


def tenant_of(settings: Settings, tenant: str | None) -> str | None:
    """Return the tenant that is read for, written as an identifier; ``None`` for all of them.

    Raises:
        Refusal: the process reads for another tenant.
        UsageError: the name is empty.
    """
    if settings.tenant is None:
        return None if tenant is None else identifier(tenant)
    own = identifier(settings.tenant)
    if tenant is not None and identifier(tenant) != own:
        raise Refusal("this process reads for another tenant", "Leave out --tenant")
    return own


def identifier(tenant: str) -> str:
    """Return a tenant's name as rows hold it: the rule is the one by which they were read."""
    # A command that is refused does not wait for the engine.
    import duckdb

    from revenue_integrity.landing.values import parsed
    from revenue_integrity.model.source import SourceColumn

    sql = parsed(SourceColumn("tenant_id", "id", "The tenant."), "$text")
    with duckdb.connect() as connection:
        ((found,),) = connection.execute(f"select {sql}", {"text": tenant}).fetchall()
    if found is None:
        raise UsageError("the tenant has no name", "Name one, for example --tenant ACME")
    return str(found)
