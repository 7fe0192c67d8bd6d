// Every page a visitor can see: its name in pictures, its address, its heading.

/** Pages behind the door. The address of a thought is known only once there is one. */
export const PAGES = [
  { name: "home", at: () => "/", heading: "Home" },
  { name: "talk", at: () => "/talk", heading: "Talk" },
  { name: "thinking", at: () => "/thinking", heading: "Thoughts" },
  { name: "chain", at: ({ thought }) => `/thinking/${thought}`, heading: "Chain of thought" },
  { name: "tasks", at: () => "/tasks", heading: "Tasks" },
  { name: "board", at: () => "/tasks?view=board", heading: "Tasks" },
  { name: "task", at: ({ task }) => `/tasks/${task}`, heading: /kelp.test/ },
  { name: "router", at: () => "/router/status", heading: "Router" },
  { name: "models", at: () => "/models", heading: "Models" },
  { name: "agents", at: () => "/agents", heading: "Agents" },
  { name: "approvals", at: () => "/approvals", heading: "Approvals" },
  { name: "events", at: () => "/swarm/events", heading: "Events" },
  { name: "event", at: ({ event }) => `/swarm/events/${event}`, heading: /^Event \d+$/ },
  { name: "health", at: () => "/health/page", heading: "Health" },
  { name: "settings", at: () => "/settings", heading: "Settings" },
  { name: "keys", at: () => "/keys", heading: "Keys" },
  { name: "palette", at: () => "/palette?q=th", heading: "Search or run" },
  { name: "error", at: () => "/no/such/page", heading: "Not here" },
];

/** Pages in front of it. */
export const DOOR = [{ name: "login", at: () => "/login", heading: "Come in" }];

/** A word that no line has room for, as an address in a message may be. */
const LONG_WORD = `https://kelp.test/${"averylongaddress".repeat(20)}`;

/**
 * A thought and the event that reported it: what the pages of one thing are about. Its words do not fit on a
 * line, and neither do those of a message that is answered.
 */
export async function things(house) {
  if (!house.things) {
    const { id } = await house.api("POST", "/thinking/api/inject", { content: `See ${LONG_WORD}.` });
    await house.cli("chat", `Read ${LONG_WORD}, and run \`make test ${"x".repeat(200)}\`.`);
    const { items } = await house.json("events", "query", "--type", "message.replied");
    const asked = { title: `Look at ${LONG_WORD}`.slice(0, 200), description: LONG_WORD, assigned_to: "owner", requires_approval: true };
    const task = await house.api("POST", "/api/tasks", asked);
    house.things = { task: task.id, thought: id, event: items.at(-1).seq };
  }
  return house.things;
}
