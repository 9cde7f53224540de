-- Days on which the stages differ, in order.
with
{% include 'checks/event_parts.sql.j2' %},

{% include 'checks/stage_days.sql.j2' %}

select * from differing order by usage_date
