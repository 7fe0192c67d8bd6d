// Every page a visitor can see: its name in pictures, its address, its heading.

/** Pages behind the door. The address of a thought is known only once there is one. */
export const PAGES = [
  { name: "home", at: () => "/", heading: "Home" },
  { name: "talk", at: () => "/talk", heading: "Talk" },
  { name: "thinking", at: () => "/thinking", heading: "Thoughts" },
  { name: "chain", at: ({ thought }) => `/thinking/${thought}`, heading: "Chain of thought" },
  { name: "events", at: () => "/swarm/events", heading: "Events" },
  { name: "event", at: ({ event }) => `/swarm/events/${event}`, heading: /^Event \d+$/ },
  { name: "health", at: () => "/health/page", heading: "Health" },
  { name: "error", at: () => "/no/such/page", heading: "Not here" },
];

/** Pages in front of it. */
export const DOOR = [{ name: "login", at: () => "/login", heading: "Come in" }];

/** A thought and the event that reported it: what the pages of one thing are about. Asked for once. */
export async function things(house) {
  if (!house.things) {
    const { id, seq } = await house.think();
    house.things = { thought: id, event: seq };
  }
  return house.things;
}
