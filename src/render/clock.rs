//! When something happened, as people read it: in their own time, with the
//! zone. JSON has it in UTC, as it is stored. Imports core.

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

static ZONE: OnceLock<TimeZone> = OnceLock::new();

/// Chooses the zone of this process, once: that of the machine, or UTC where
/// the output is a log that others read.
pub(crate) fn choose_zone(local: bool) {
    let zone = if local {
        TimeZone::system()
    } else {
        TimeZone::UTC
    };
    let _ = ZONE.set(zone);
}

/// `2026-11-21 03:34 UTC`, of RFC 3339.
pub(crate) fn to_minute(at: &str) -> String {
    local_moment(at, "%Y-%m-%d %H:%M %Z")
}

/// The same with seconds.
pub(crate) fn to_second(at: &str) -> String {
    local_moment(at, "%Y-%m-%d %H:%M:%S %Z")
}

/// The moment that people write as they read it here; none for what no zone has.
pub(crate) fn moment(civil: DateTime) -> Option<Timestamp> {
    let zoned = civil.to_zoned(zone()).ok()?;
    Some(zoned.timestamp())
}

fn zone() -> TimeZone {
    ZONE.get().cloned().unwrap_or(TimeZone::UTC)
}

fn local_moment(at: &str, format: &str) -> String {
    let Ok(moment) = at.parse::<Timestamp>() else {
        return super::escape::visible(at);
    };
    moment.to_zoned(zone()).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_shown() {
        assert_eq!(
            to_minute("2026-11-21T10:07:14.159Z"),
            "2026-11-21 10:07 UTC"
        );
        assert_eq!(
            to_second("2026-11-21T14:07:14+04:00"),
            "2026-11-21 10:07:14 UTC"
        );
        assert_eq!(to_minute("never\n"), "never\\n");
    }
}
