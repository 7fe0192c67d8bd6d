//! Writing into a store past the house, as a newer version, another program or a failing disk would.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

/// How long a statement waits for the house to end its own, in seconds.
const BUSY_SECONDS: u64 = 20;

/// Gives the rows of `table` that `those` names the values in `set`, in the store of the home at `home`, which may be
/// open meanwhile.
pub fn spoil(home: &Path, table: &str, set: &str, those: &str) {
    let conn = Connection::open(home.join("timmy.db")).expect("the store opens from outside");
    conn.busy_timeout(Duration::from_secs(BUSY_SECONDS)).expect("set");
    let statement = ["UPDATE", table, "SET", set, "WHERE", those].join(" ");
    let spoiled = conn.execute(&statement, []).expect("the statement runs");
    assert!(spoiled > 0, "no row is so: {those}");
}
