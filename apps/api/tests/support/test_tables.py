from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import NOW, make_user, ticket_row
from support.rules import check_rules

from topcoin.kernel.ids import new_id

EARLIER = NOW - timedelta(seconds=1)


async def test_every_rule_of_tickets_refuses_what_breaks_it(session: AsyncSession) -> None:
    """SUP-1 by the rules about waiting and resolving, SUP-2 by the one about the assignee."""
    user_id = await make_user(session)
    opened = ticket_row(user_id, related_object_type="deposit", related_object_id="1")
    working = ticket_row(user_id, status="in_progress", assigned_to=new_id())
    waiting = ticket_row(user_id, status="waiting_for_customer", first_responded_at=NOW)
    resolved = ticket_row(user_id, status="resolved", resolution="It has arrived.", resolved_at=NOW)
    await check_rules(
        session,
        "support_tickets",
        {
            "subject_not_blank": [(opened, {"subject": " "})],
            "description_not_blank": [(opened, {"description": ""})],
            "category_known": [(opened, {"category": "weather"})],
            "status_known": [(opened, {"status": "perhaps"})],
            "priority_known": [(opened, {"priority": "whatever"})],
            "not_assigned_to_self": [(working, {"assigned_to": user_id})],
            "in_progress_has_assignee": [(working, {"assigned_to": None})],
            "related_object_type_is_code": [(opened, {"related_object_type": "A deposit"})],
            "related_object_id_not_blank": [(opened, {"related_object_id": ""})],
            "related_object_named_whole": [
                (opened, {"related_object_id": None}),
                (opened, {"related_object_type": None}),
            ],
            "resolved_has_time": [(resolved, {"resolved_at": None}), (opened, {"resolved_at": NOW})],
            "resolved_has_resolution": [
                ({**resolved, "status": status}, {"resolution": resolution})
                for status in ("resolved", "closed")
                for resolution in (None, " ")
            ],
            "waiting_after_response": [(waiting, {"first_responded_at": None})],
            "response_due_after_made": [(opened, {"first_response_due_at": NOW})],
            "responded_after_made": [(waiting, {"first_responded_at": EARLIER})],
            "resolved_after_made": [(resolved, {"resolved_at": EARLIER})],
        },
    )
