-- Contracts with a peak above the reservation; where no overage price was agreed, what the site's median price would charge.
with days as (
    select
        m.contract_id,
        t.site_id,
        m.peak_kw - t.reserved_kw as excess_kw,
        t.overage_price
    from curated.meter_daily as m
    inner join curated.contract_terms as t
        on m.contract_id = t.contract_id and t.month = $month and m.reading_date between t.segment_from and t.segment_to
    where m.month = $month and m.peak_kw > t.reserved_kw
),

prices as (
    select
        site_id,
        quantile_disc(overage_price, 0.5) as site_price
    from curated.contract_terms
    where month = $month and overage_price is not null
    group by site_id
)

select
    d.contract_id,
    count(*) as days_above,
    max(d.excess_kw) as largest_excess_kw,
    count(d.overage_price) > 0 as has_overage_price,
    case
        when count(d.overage_price) = 0 then round(max(d.excess_kw) * any_value(p.site_price) * 100)::bigint
    end as uncharged_at_site_price_cents
from days as d
left join prices as p on d.site_id = p.site_id
group by d.contract_id
order by uncharged_at_site_price_cents desc nulls last, largest_excess_kw desc, d.contract_id
