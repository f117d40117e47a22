//! A line on standard error for work that takes a while. Imports indicatif.

use std::io::IsTerminal;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::shell::Shell;

/// Work that ends sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(400);

/// Shown on a terminal; gone when dropped.
pub struct Progress(ProgressBar);

impl Progress {
    /// Counts rows of which nobody knows how many there are.
    pub fn rows(shell: &Shell, what: &'static str) -> Progress {
        Progress::new(shell, what, "{spinner} {msg}: {human_pos} rows")
    }

    /// Counts rows of a number that [`Progress::of`] tells.
    pub fn counting(shell: &Shell, what: &'static str) -> Progress {
        Progress::new(
            shell,
            what,
            "{spinner} {msg} {wide_bar} {human_pos}/{human_len} rows",
        )
    }

    fn new(shell: &Shell, what: &'static str, template: &str) -> Progress {
        let bar = ProgressBar::hidden();
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        if !shell.globals.quiet && std::io::stderr().is_terminal() {
            let bar = bar.clone();
            thread::spawn(move || {
                thread::sleep(PATIENCE);
                if !bar.is_finished() {
                    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
                    bar.enable_steady_tick(Duration::from_millis(200));
                }
            });
        }
        Progress(bar)
    }

    pub fn at(&self, rows: u64) {
        self.0.set_position(rows);
    }

    pub fn of(&self, rows: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(rows);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
