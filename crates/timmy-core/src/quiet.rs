//! The quiet hours: when Timmy does not think, and what he asks waits without a sound.

use timmy_domain::Timestamp;
use timmy_domain::settings::minute_of_day;

use crate::clock::{Clock, local, next_local_minute};
use crate::settings::ThinkingSettings;

/// The end of the quiet hours, when `now` lies in them.
#[must_use]
pub fn until(settings: &ThinkingSettings, clock: &dyn Clock, now: Timestamp) -> Option<Timestamp> {
    let (from, until) = (minute_of_day(&settings.quiet_from)?, minute_of_day(&settings.quiet_until)?);
    let t = local(clock, now);
    let minute = u32::from(t.hour()) * 60 + u32::from(t.minute());
    let inside = if from <= until { (from..until).contains(&minute) } else { minute >= from || minute < until };
    inside.then(|| next_local_minute(clock, now, until))
}
