//! How long applies count together against a budget. Core: imports nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `guards.window`: a time such as `24h`, in whole minutes, hours or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    minutes: u32,
}

/// What a window looks like, for messages.
pub const FORM: &str =
    "a time such as \"24h\", \"90m\" or \"7d\", of 30 days at most; \"0h\" is none";

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;

impl Window {
    /// The longest that can be asked for.
    const MAX: u32 = 30 * DAY;

    pub fn seconds(self) -> i64 {
        i64::from(self.minutes) * 60
    }
}

impl Default for Window {
    fn default() -> Window {
        Window { minutes: DAY }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minutes {
            minutes if minutes % HOUR != 0 => write!(f, "{minutes}m"),
            minutes if minutes % DAY == 0 && minutes > DAY => write!(f, "{}d", minutes / DAY),
            minutes => write!(f, "{}h", minutes / HOUR),
        }
    }
}

impl FromStr for Window {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Window, Self::Err> {
        let unit = match text.chars().last() {
            Some('m') => 1,
            Some('h') => HOUR,
            Some('d') => DAY,
            _ => return Err(FORM),
        };
        let count = &text[..text.len() - 1];
        let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let minutes = count.parse::<u32>().ok().filter(|_| is_number);
        let minutes = minutes.and_then(|count| count.checked_mul(unit));
        match minutes {
            Some(minutes) if minutes <= Window::MAX => Ok(Window { minutes }),
            _ => Err(FORM),
        }
    }
}

impl TryFrom<String> for Window {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Window, Self::Error> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> String {
        window.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_and_written() {
        for (text, written) in [
            ("24h", Some("24h")),
            ("1d", Some("24h")),
            ("168h", Some("7d")),
            ("90m", Some("90m")),
            ("120m", Some("2h")),
            ("0d", Some("0h")),
            ("30d", Some("30d")),
            ("31d", None),
            ("4294967296h", None),
            ("+1h", None),
            ("-1h", None),
            ("h", None),
            ("24", None),
            ("", None),
            ("24 h", None),
            ("1é", None),
        ] {
            let read = text.parse::<Window>().ok().map(|window| window.to_string());
            assert_eq!(read.as_deref(), written, "{text}");
        }
        assert_eq!(Window::default().seconds(), 86_400);
    }
}
