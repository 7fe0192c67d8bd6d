// The journeys of work, trust and models, in one process, with one browser and one house. Those through the pages run
// beside them. What has to cool down is asked for first and looked at last.

import { cooledDown } from "./journeys/working.mjs";
import "./journeys/tasks.mjs";
import "./journeys/approvals.mjs";
import "./journeys/router.mjs";
import "./journeys/models.mjs";

cooledDown();
