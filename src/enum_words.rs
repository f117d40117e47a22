//! A macro for enums of which each variant has one word in reports. Imports
//! nothing of lkroute.

/// Makes an enum of `Variant = "word"` lines, with all its variants and their
/// words: one line says all that is known of a variant.
macro_rules! enum_words {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$of_variant:meta])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[$meta])*
        $vis enum $name {
            $($(#[$of_variant])* $variant,)*
        }

        impl $name {
            /// Every variant, in declaration order.
            #[allow(dead_code, reason = "not every enum is gone through")]
            $vis const ALL: [$name; [$($word),*].len()] = [$($name::$variant),*];

            /// As it is reported and stored.
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }

            /// The variant of that word.
            #[allow(dead_code, reason = "not every enum is read")]
            $vis fn of_word(word: &str) -> Option<$name> {
                $name::ALL.into_iter().find(|one| one.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
