//! A line on standard error for work that takes a while. Imports indicatif.

use std::io::IsTerminal;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::app::{Counter, Total};

/// Work that ends sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(400);

/// Shown on a terminal; gone when dropped.
pub(super) struct ProgressLine(ProgressBar);

impl ProgressLine {
    pub(super) fn new(quiet: bool, what: &'static str, total: Total) -> ProgressLine {
        let template = match total {
            Total::Known => "{spinner} {msg} {wide_bar} {human_pos}/{human_len} rows",
            Total::Unknown => "{spinner} {msg}: {human_pos} rows",
        };
        let bar = ProgressBar::hidden();
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        if !quiet && std::io::stderr().is_terminal() {
            let bar = bar.clone();
            thread::spawn(move || {
                thread::sleep(PATIENCE);
                if !bar.is_finished() {
                    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
                    bar.enable_steady_tick(Duration::from_millis(200));
                }
            });
        }
        ProgressLine(bar)
    }
}

impl Counter for ProgressLine {
    fn at(&self, rows: u64) {
        self.0.set_position(rows);
    }

    fn of(&self, rows: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(rows);
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
