-- Contract-days with a peak above the reservation, and what is not charged for them because no overage price was agreed; one row.
with days as (
    select
        m.contract_id,
        m.reading_date,
        m.peak_kw - t.reserved_kw as excess_kw,
        t.overage_price
    from curated.meter_daily as m
    inner join curated.contract_terms as t
        on m.contract_id = t.contract_id and t.month = $month and m.reading_date between t.segment_from and t.segment_to
    where m.month = $month and m.peak_kw > t.reserved_kw
)

select
    count(*) = 0 as passed,
    count(*) as days_above,
    count(distinct contract_id) as contracts_above,
    count(distinct contract_id) filter (where overage_price is null) as contracts_without_overage_price,
    coalesce(max(excess_kw), 0) as largest_excess_kw
from days
