"""What people do with cameras outside of consultations: a terminal's wall (``walls``), who watches what (``watching``)."""

from commhub.desk.desk import Desk
from commhub.desk.download_views import Bounds
from commhub.desk.snapshots import ROOM as SNAPSHOT
from commhub.desk.snapshots import from_the_stream
from commhub.desk.walls import LIMIT, VIEW, Walls
from commhub.desk.watching import Watching

#: What begins the names of rooms in which somebody only looks at cameras: nobody else is told of them.
OWN = (VIEW, SNAPSHOT)

__all__ = ["LIMIT", "OWN", "VIEW", "Bounds", "Desk", "Walls", "Watching", "from_the_stream"]
