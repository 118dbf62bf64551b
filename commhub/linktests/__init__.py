"""Link tests: can an organisation connect, and how well (``linktests``, ``verdict``)?"""

from commhub.linktests.linktests import LinkTests
from commhub.linktests.shapes import LinkReport, LinkTest
from commhub.linktests.verdict import judged

__all__ = ["LinkReport", "LinkTest", "LinkTests", "judged"]
