// The journeys of work, trust and models, in one process, with one browser and one house. Those through the pages run
// beside them.

import "./journeys/tasks.mjs";
import "./journeys/approvals.mjs";
import "./journeys/working.mjs";
import "./journeys/router.mjs";
import "./journeys/models.mjs";
