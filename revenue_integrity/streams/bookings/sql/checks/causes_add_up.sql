-- For every row the causes make its variance, and the two ends of a move inside the month make nothing.
with
    per_row as (
        select
            r.view,
            r.row_key,
            any_value(r.variance_cents) as variance_cents,
            coalesce(sum(c.cause_cents), 0) as cause_cents
        from recon.bookings_recon_results as r
        left join recon.bookings_recon_causes as c
            on c.month = $month and r.recon = c.recon and r.view = c.view and r.row_key = c.row_key
        where r.month = $month and r.recon = 'recognized_vs_schedule'
        group by r.view, r.row_key
    ),

    links as (
        select sum(cause_cents) as cause_cents
        from recon.bookings_recon_causes
        where month = $month and view = 'current' and link_id is not null and cause <> 'period_shift'
        group by link_id
    )

select
    (select count(*) from per_row where variance_cents <> cause_cents) = 0
    and (select count(*) from links where cause_cents <> 0) = 0 as passed,
    (select count(*) from per_row) as rows,
    (select count(*) from per_row where variance_cents <> cause_cents) as rows_that_do_not_add_up,
    (select count(*) from links where cause_cents <> 0) as moves_that_do_not_add_up
