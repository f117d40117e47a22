//! What calls depend on, in one table. Core: imports nothing of lkroute.

/// Makes [`CallField`], [`CallField::ALL`] and what is known of each from one list.
macro_rules! table_of_call_fields {
    ($($(#[$doc:meta])* $field:ident: $name:literal, $is_route:literal;)*) => {
        /// One thing that the calls of a number depend on (`docs/semantics.md`, "What a
        /// call depends on").
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CallField {
            $($(#[$doc])* $field,)*
        }

        impl CallField {
            /// Every one, in the order in which reports name them.
            pub const ALL: [CallField; [$($name),*].len()] = [$(CallField::$field),*];

            /// Whether a number is *rerouted* where this differs; else its *terms*
            /// change.
            pub const fn is_route(self) -> bool {
                match self {
                    $(CallField::$field => $is_route,)*
                }
            }

            /// The name in reports for machines.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(CallField::$field => $name,)*
                }
            }
        }
    };
}

table_of_call_fields! {
    // CallField: name in reports for machines, whether it is part of the route
    /// Database, environment or error.
    Source: "source", true;
    Config: "config", true;
    Server: "server", true;
    Trunk: "trunk", true;
    Worker: "worker", true;
    Deployment: "deployment", true;
    Region: "region", true;
    ApiKey: "api_key", false;
    Secret: "secret", false;
    Fallback: "fallback", false;
    /// Whether calls in are refused.
    Inbound: "inbound", false;
    /// Whether calls out are refused.
    Outbound: "outbound", false;
    /// The countries that may be called.
    Countries: "countries", false;
    /// The form in which the called number is dialled.
    Dialled: "dialled", false;
}
