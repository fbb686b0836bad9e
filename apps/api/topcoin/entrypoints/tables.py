"""All tables in one place: importing this module fills `metadata`, as Alembic and privileges need it."""

from topcoin.adjustments import models as adjustments
from topcoin.audit import models as audit
from topcoin.compliance import models as compliance
from topcoin.custody import models as custody
from topcoin.http.idempotency import models as idempotency
from topcoin.identity import models as identity
from topcoin.infra.database.tables import Base
from topcoin.ledger import models as ledger
from topcoin.market import models as market
from topcoin.plans import models as plans
from topcoin.support import models as support
from topcoin.trading import models as trading

MODELS = (adjustments, audit, compliance, custody, idempotency, identity, ledger, market, plans, support, trading)
"""Every module that declares tables."""

metadata = Base.metadata
