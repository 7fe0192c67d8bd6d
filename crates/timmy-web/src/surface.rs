//! What the web server counts: requests by route, connections, sockets of the live feed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::Method;
use timmy_domain::tally::{Counter, Histogram, Level, QUICK_MICROS, Spread};

use crate::routes::TABLE;

/// The route of requests that lead nowhere.
pub const NOWHERE: &str = "none";
/// Verbs that are told apart; all others are counted as the last.
pub const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"];
/// Classes of status codes.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Close codes a socket may end with; the last stands for a client that went without one.
pub const CLOSES: [&str; 8] = ["1001", "1002", "1003", "1008", "1009", "1011", "1013", "gone"];

/// The counters of the web server.
pub struct Surface {
    /// One row for each route and one for what leads nowhere; a cell is made with its first request.
    routes: Vec<[OnceLock<Box<Answers>>; METHODS.len()]>,
    closes: [Counter; CLOSES.len()],
    /// Requests that are being answered.
    pub in_flight: Arc<Level>,
    /// Requests whose client went away before the answer.
    pub aborted: Counter,
    /// Connections that are open.
    pub connections: Arc<Level>,
    /// Sockets of the live feed.
    pub sockets: Arc<Level>,
    /// Sockets whose client does not read fast enough.
    pub behind: Arc<Level>,
    /// Frames sent over the live feed.
    pub frames: Counter,
    /// Sockets that went on from a position.
    pub resumes: Counter,
    /// Sockets that were told that events are gone.
    pub gaps: Counter,
}

/// Answers to one verb of one route.
struct Answers {
    classes: [Counter; CLASSES.len()],
    took: Histogram,
}

/// Answers to one verb of one route, as they were counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The template of the route.
    pub route: &'static str,
    /// The verb.
    pub method: &'static str,
    /// How many, by class of the status; only classes that occurred.
    pub classes: Vec<(&'static str, u64)>,
    /// How long they took.
    pub took: Spread,
}

impl Default for Surface {
    fn default() -> Self {
        Self {
            routes: (0..=TABLE.len()).map(|_| Default::default()).collect(),
            closes: Default::default(),
            in_flight: Arc::default(),
            aborted: Counter::default(),
            connections: Arc::default(),
            sockets: Arc::default(),
            behind: Arc::default(),
            frames: Counter::default(),
            resumes: Counter::default(),
            gaps: Counter::default(),
        }
    }
}

/// The word of a verb in [`METHODS`].
#[must_use]
pub fn verb(method: &Method) -> &'static str {
    METHODS.iter().find(|name| **name == method.as_str()).copied().unwrap_or("OTHER")
}

impl Surface {
    /// A request to the route `template` was answered.
    pub fn answered(&self, template: &str, method: &Method, status: u16, took: Duration) {
        let row = TABLE.iter().position(|route| route.path == template).unwrap_or(TABLE.len());
        let column = METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(METHODS.len() - 1);
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        let fresh = || Box::new(Answers { classes: Default::default(), took: Histogram::new(QUICK_MICROS) });
        let answers = self.routes[row][column].get_or_init(fresh);
        answers.classes[class].one();
        answers.took.observe(took);
    }

    /// A socket ended with this code; 0 for none.
    pub fn closed(&self, code: u16) {
        let code = code.to_string();
        let at = CLOSES.iter().position(|known| **known == code).unwrap_or(CLOSES.len() - 1);
        self.closes[at].one();
    }

    /// Sockets that ended, by code.
    #[must_use]
    pub fn closes(&self) -> Vec<(&'static str, u64)> {
        CLOSES.iter().zip(&self.closes).map(|(code, count)| (*code, count.get())).collect()
    }

    /// Everything that was answered, in the order of the table.
    #[must_use]
    pub fn requests(&self) -> Vec<Answered> {
        let names = TABLE.iter().map(|route| route.path).chain([NOWHERE]);
        let cells = names.zip(&self.routes).flat_map(|(route, row)| {
            METHODS.iter().zip(row).filter_map(move |(method, cell)| Some((route, *method, cell.get()?.as_ref())))
        });
        let answered = |(route, method, answers): (&'static str, &'static str, &Answers)| Answered {
            route,
            method,
            classes: CLASSES.iter().zip(&answers.classes).map(|(c, n)| (*c, n.get())).filter(|(_, n)| *n > 0).collect(),
            took: answers.took.spread(),
        };
        cells.map(answered).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_template_and_what_leads_nowhere_together() {
        let surface = Surface::default();
        let took = Duration::from_micros(200);
        surface.answered("/talk", &Method::GET, 200, took);
        surface.answered("/talk", &Method::GET, 422, took);
        surface.answered("/no/such/42", &Method::GET, 404, took);
        surface.answered("", &Method::from_bytes(b"BREW").expect("a verb"), 999, took);
        let counted = surface.requests();
        let rows: Vec<_> = counted.iter().map(|a| (a.route, a.method, a.classes.clone(), a.took.count)).collect();
        let expected = [
            ("/talk", "GET", vec![("2xx", 1), ("4xx", 1)], 2),
            (NOWHERE, "GET", vec![("4xx", 1)], 1),
            (NOWHERE, "OTHER", vec![("5xx", 1)], 1),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn sockets_are_counted_by_their_code() {
        let surface = Surface::default();
        [1013, 1013, 0, 4_999].into_iter().for_each(|code| surface.closed(code));
        let ended: Vec<_> = surface.closes().into_iter().filter(|(_, n)| *n > 0).collect();
        assert_eq!(ended, [("1013", 2), ("gone", 2)]);
    }
}
