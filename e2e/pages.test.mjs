// The journeys through the pages, in one process, with one browser and one house. Those of work run beside them.

import "./journeys/login.mjs";
import "./journeys/password.mjs";
import "./journeys/talk.mjs";
import "./journeys/thinking.mjs";
import "./journeys/away.mjs";
import "./journeys/events.mjs";
import "./journeys/phone.mjs";
import "./journeys/plain.mjs";
import "./journeys/palette.mjs";
import "./journeys/settings.mjs";
import "./journeys/look.mjs";
