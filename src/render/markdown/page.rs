//! A text that does not grow over a limit. Imports nothing of lkroute.

/// Kept free for the marker, the note that something is left out, and the
/// footer.
const RESERVE: usize = 5_000;

/// Blocks of Markdown, added while there is room.
pub(super) struct Page {
    head: String,
    body: String,
    room: usize,
    whole: bool,
}

impl Page {
    pub(super) fn new(head: String, limit: usize) -> Page {
        let room = limit.saturating_sub(RESERVE + head.len());
        Page {
            head,
            body: String::new(),
            room,
            whole: true,
        }
    }

    /// How much more fits, in bytes.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Adds a block and the blank line before it, where it fits.
    pub(super) fn add_block(&mut self, block: &str) {
        if block.len() >= self.room {
            self.whole = false;
            return;
        }
        self.body.push('\n');
        self.body.push_str(block);
        self.room -= block.len() + 1;
    }

    /// Adds a head and as many of the rows as fit, at most `most` of them;
    /// `more` says how many are left. Without rows it adds nothing.
    pub(super) fn add_list(
        &mut self,
        head: &str,
        rows: impl Iterator<Item = String>,
        most: usize,
        more: impl Fn(u64) -> String,
    ) {
        // Half of the room, so that what comes next has some; less the line
        // that says what is left.
        let room = (self.room / 2).saturating_sub(200);
        let mut block = head.to_owned();
        let (mut shown, mut left) = (0, 0);
        for row in rows {
            if left == 0 && shown < most && block.len() + row.len() < room {
                block.push_str(&row);
                shown += 1;
            } else {
                left += 1;
            }
        }
        if left > 0 {
            block.push_str(&more(left));
            self.whole = false;
        }
        if shown > 0 || left > 0 {
            self.add_block(&block);
        }
    }

    /// Remembers that something is not shown.
    pub(super) fn leave_out(&mut self) {
        self.whole = false;
    }

    /// Whether everything is shown.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Head, note, blocks and footer.
    pub(super) fn into_text(self, note: &str, footer: &str) -> String {
        [self.head.as_str(), note, &self.body, footer].concat()
    }
}
