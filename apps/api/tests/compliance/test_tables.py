from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import NOW, alert_row, insert, make_user
from support.rules import check_rules

from topcoin.kernel.ids import new_id

EARLIER = NOW - timedelta(seconds=1)


async def test_every_rule_of_alerts_refuses_what_breaks_it(session: AsyncSession) -> None:
    """AML-2, by the rules about who works on an alert and what ends it."""
    user_id = await make_user(session)
    pending = alert_row(user_id, reference_type="deposit", reference_id="1", actions_taken="Called")
    reviewed = alert_row(user_id, status="under_review", reviewed_by=new_id(), reviewed_at=NOW)
    resolved = {
        **reviewed,
        "status": "resolved",
        "outcome": "false_positive",
        "resolution_notes": "Salary",
        "resolved_at": NOW,
    }
    await check_rules(
        session,
        "aml_alerts",
        {
            "alert_type_is_code": [(pending, {"alert_type": "Structuring"})],
            "dedup_key_not_blank": [(pending, {"dedup_key": ""})],
            "severity_known": [(pending, {"severity": "huge"})],
            "status_known": [(reviewed, {"status": "perhaps"})],
            "outcome_known": [(resolved, {"outcome": "perhaps"})],
            "reference_type_is_code": [(pending, {"reference_type": "A deposit"})],
            "reference_id_not_blank": [(pending, {"reference_id": " "})],
            "reference_named_whole": [(pending, {"reference_id": None}), (pending, {"reference_type": None})],
            "details_object": [(pending, {"details": []})],
            "description_not_blank": [(pending, {"description": " "})],
            "worked_on_by_somebody": [
                (reviewed, {"reviewed_by": None, "reviewed_at": None}),
                (pending, {"reviewed_by": new_id(), "reviewed_at": NOW}),
            ],
            "reviewed_by_has_time": [(reviewed, {"reviewed_at": None})],
            "not_reviewed_by_self": [(reviewed, {"reviewed_by": user_id})],
            "resolved_has_outcome": [(resolved, {"outcome": None}), (reviewed, {"outcome": "valuable"})],
            "resolved_has_time": [(resolved, {"resolved_at": None}), (reviewed, {"resolved_at": NOW})],
            "resolved_has_notes": [(resolved, {"resolution_notes": None}), (resolved, {"resolution_notes": " "})],
            "reviewed_after_made": [(reviewed, {"reviewed_at": EARLIER})],
            "resolved_after_reviewed": [(resolved, {"resolved_at": EARLIER})],
            "actions_taken_not_blank": [(pending, {"actions_taken": ""})],
            "due_after_made": [(pending, {"due_at": NOW})],
        },
    )


async def test_one_fact_raises_one_alert(session: AsyncSession) -> None:
    """AML-1."""
    user_id = await make_user(session)
    await insert(session, "aml_alerts", alert_row(user_id))
    await insert(session, "aml_alerts", alert_row(user_id, dedup_key="2026-01-06"))
    await insert(session, "aml_alerts", alert_row(await make_user(session)))
    with pytest.raises(IntegrityError, match="uq_aml_alerts_user_id_alert_type_dedup_key"):
        await insert(session, "aml_alerts", alert_row(user_id, status="resolved", **RESOLVED))


RESOLVED = {
    "reviewed_by": new_id(),
    "reviewed_at": NOW,
    "outcome": "valuable",
    "resolution_notes": "Known already",
    "resolved_at": NOW,
}
