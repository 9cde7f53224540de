-- One row per known contract: whose it is, where it stands, and the days on which it has service.
-- Service: on a day the highest version that covers it is in force; a terminated one means no service. The days run from
-- service_from to service_to without the gaps; both are null for a contract that never has service.

with versions as (
    select
        contract_id,
        customer_id,
        site_id,
        version,
        status,
        effective_from,
        coalesce(effective_to, date '9999-12-30') as effective_to
    from raw.contract_versions
    where row_status = 'surviving'
),

boundaries as (
    select contract_id, effective_from as segment_from from versions
    union
    select contract_id, effective_to + 1 as segment_from from versions
),

segments as (
    select
        contract_id,
        segment_from,
        coalesce(
            lead(segment_from) over (partition by contract_id order by segment_from) - 1, date '9999-12-31'
        ) as segment_to
    from boundaries
),

service as (
    select segments.contract_id, segments.segment_from, segments.segment_to
    from segments
    inner join versions
        on versions.contract_id = segments.contract_id
        and segments.segment_from between versions.effective_from and versions.effective_to
    group by segments.contract_id, segments.segment_from, segments.segment_to
    having arg_max(versions.status, versions.version) = 'active'
),

followed as (
    select
        contract_id,
        segment_from,
        segment_to,
        lead(segment_from) over (partition by contract_id order by segment_from) as next_from
    from service
),

days as (
    select
        contract_id,
        min(segment_from) as service_from,
        max(segment_to) as service_to,
        list(struct_pack(gap_from := segment_to + 1, gap_to := next_from - 1) order by segment_from)
            filter (where next_from > segment_to + 1) as gaps
    from followed
    group by contract_id
),

owners as (
    select contract_id, min(customer_id) as customer_id, min(site_id) as site_id
    from versions
    group by contract_id
)

select
    owners.contract_id,
    owners.customer_id,
    owners.site_id,
    days.service_from,
    days.service_to,
    days.gaps
from owners
left join days on days.contract_id = owners.contract_id
