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
        }
    };
}
