//! Structs of a saved file, apart from those of the program: who renames or
//! adds something there has to say here what that means for files, and a file
//! stays as it was. Core.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use crate::fields::{Field, Fields, FieldsIx, FieldsPool};
use crate::phone::E164;
use crate::routing::guards::Guards;
use crate::routing::window::Window;

/// A part of a saved file, and what it stands for in the program.
pub(super) trait Frozen<Live> {
    fn freeze(live: &Live) -> Self;
    fn thaw(self) -> Live;
}

/// What is written as itself: plain values, and what has a written form that
/// files or databases hold for ever anyway.
macro_rules! frozen_as_itself {
    ($($kind:ty),*) => {$(
        impl Frozen<$kind> for $kind {
            fn freeze(live: &$kind) -> $kind {
                live.clone()
            }

            fn thaw(self) -> $kind {
                self
            }
        }
    )*};
}

frozen_as_itself!(bool, i64, u32, u64, BTreeSet<i64>, String, Uuid, Value);
frozen_as_itself!(E164, Field, Fields, Guards, Window);

/// A struct of a file: each key, its type, and the member of the program's
/// struct that it stands for; behind `without` what no file has. A member that
/// is left out does not compile.
macro_rules! frozen_struct {
    (
        $(#[$of_struct:meta])*
        $name:ident for $live:ident {
            $($(#[$of_key:meta])* $key:ident: $kind:ty = $member:ident,)*
        }
        $(without $($rest:ident),+)?
    ) => {
        $(#[$of_struct])*
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        pub(super) struct $name {
            $($(#[$of_key])* $key: $kind,)*
        }

        impl Frozen<$live> for $name {
            fn freeze(live: &$live) -> $name {
                let $live { $($member,)* $($($rest: _,)+)? } = live;
                $name { $($key: Frozen::freeze($member),)* }
            }

            fn thaw(self) -> $live {
                $live {
                    $($member: self.$key.thaw(),)*
                    $($($rest: Default::default(),)+)?
                }
            }
        }
    };
}

/// The same of an enum without values: each variant, and its text in the file.
macro_rules! frozen_enum {
    ($name:ident for $live:ident { $($variant:ident = $text:literal,)* }) => {
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        pub(super) enum $name {
            $(#[serde(rename = $text)] $variant,)*
        }

        impl Frozen<$live> for $name {
            fn freeze(live: &$live) -> $name {
                match live {
                    $($live::$variant => $name::$variant,)*
                }
            }

            fn thaw(self) -> $live {
                match self {
                    $($name::$variant => $live::$variant,)*
                }
            }
        }
    };
}

pub(super) use {frozen_enum, frozen_struct};

impl<T: Frozen<L>, L> Frozen<Option<L>> for Option<T> {
    fn freeze(live: &Option<L>) -> Option<T> {
        live.as_ref().map(T::freeze)
    }

    fn thaw(self) -> Option<L> {
        self.map(T::thaw)
    }
}

impl<T: Frozen<L>, L> Frozen<Vec<L>> for Vec<T> {
    fn freeze(live: &Vec<L>) -> Vec<T> {
        live.iter().map(T::freeze).collect()
    }

    fn thaw(self) -> Vec<L> {
        self.into_iter().map(T::thaw).collect()
    }
}

impl<K: Ord + Clone, T: Frozen<L>, L> Frozen<BTreeMap<K, L>> for BTreeMap<K, T> {
    fn freeze(live: &BTreeMap<K, L>) -> BTreeMap<K, T> {
        let pairs = live.iter();
        pairs
            .map(|(key, value)| (key.clone(), T::freeze(value)))
            .collect()
    }

    fn thaw(self) -> BTreeMap<K, L> {
        let pairs = self.into_iter();
        pairs.map(|(key, value)| (key, value.thaw())).collect()
    }
}

impl<A: Frozen<B>, B, C: Frozen<D>, D> Frozen<(B, D)> for (A, C) {
    fn freeze((one, other): &(B, D)) -> (A, C) {
        (A::freeze(one), C::freeze(other))
    }

    fn thaw(self) -> (B, D) {
        (self.0.thaw(), self.1.thaw())
    }
}

impl Frozen<FieldsIx> for u32 {
    fn freeze(live: &FieldsIx) -> u32 {
        live.0
    }

    fn thaw(self) -> FieldsIx {
        FieldsIx(self)
    }
}

impl Frozen<FieldsPool> for Vec<Fields> {
    fn freeze(live: &FieldsPool) -> Vec<Fields> {
        live.clone().into()
    }

    fn thaw(self) -> FieldsPool {
        self.into()
    }
}
