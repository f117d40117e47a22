//! How the fields of an object change: before, after and why. Core: imports
//! only core.

use serde_json::Value;

use crate::fields::{Field, Fields};

/// How the fields of one or many objects change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Patch {
    pub fields: Vec<FieldChange>,
}

/// One field, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldChange {
    pub field: Field,
    /// What the row holds; `None` for NULL or no such key.
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub kind: Kind,
    /// What the last apply had set, where that differs from `before`.
    pub applied: Option<Value>,
}

/// Why a field is in a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The files say something new.
    Set,
    /// Another's value, taken over by an `adopt` line.
    TakeOver,
    /// The row holds the declared value already.
    Adopt,
    /// The row was changed since the last apply; back to what the files say.
    Drift,
    /// The row holds a value that is neither declared nor ours.
    Conflict,
    /// The row is in a state that no `adopt` line can solve; `before` says
    /// in words which.
    Blocked,
    /// No longer declared; what the row holds stays.
    Release,
}

impl Kind {
    /// Whether it keeps its object from being applied.
    pub fn is_conflict(self) -> bool {
        matches!(self, Kind::Conflict | Kind::Blocked)
    }

    /// Whether an apply writes the field to the application's row.
    pub fn writes(self) -> bool {
        matches!(self, Kind::Set | Kind::TakeOver | Kind::Drift)
    }
}

impl Patch {
    /// What the row held of these fields.
    pub fn before(&self) -> Fields {
        let fields = self.fields.iter();
        fields
            .filter_map(|change| Some((change.field, change.before.clone()?)))
            .collect()
    }

    pub fn has(&self, kind: Kind) -> bool {
        self.fields.iter().any(|change| change.kind == kind)
    }

    /// Whether nothing of it may be carried out.
    pub fn in_conflict(&self) -> bool {
        self.fields.iter().any(|change| change.kind.is_conflict())
    }

    pub fn cause(&self) -> ChangeCause {
        let drift = self.has(Kind::Drift);
        match self.fields.iter().all(|change| change.kind == Kind::Drift) {
            true if drift => ChangeCause::Drift,
            _ if drift => ChangeCause::Both,
            _ => ChangeCause::Files,
        }
    }
}

enum_words! {
    /// Who moved: the files since the last apply, the database, or both.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum ChangeCause {
        Files = "files",
        Drift = "drift",
        Both = "both",
    }
}
