// Every page a visitor can see: its name in pictures, its address, its heading.

/** Pages behind the door. */
export const PAGES = [
  { name: "home", at: "/", heading: "Home" },
  { name: "talk", at: "/talk", heading: "Talk" },
  { name: "thinking", at: "/thinking", heading: "Thoughts" },
  { name: "events", at: "/swarm/events", heading: "Events" },
  { name: "health", at: "/health/page", heading: "Health" },
];

/** Pages in front of it. */
export const DOOR = [{ name: "login", at: "/login", heading: "Come in" }];
