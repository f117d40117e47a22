//! What calls depend on. Core: imports nothing of lkroute.

/// One thing that the calls of a number depend on (`docs/semantics.md`, "What a
/// call depends on").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallField {
    /// Database, environment or error.
    Source,
    Config,
    Server,
    Trunk,
    Worker,
    Deployment,
    Region,
    ApiKey,
    Secret,
    Fallback,
    /// Whether calls in are refused.
    Inbound,
    /// Whether calls out are refused.
    Outbound,
    /// The countries that may be called.
    Countries,
    /// The form in which the called number is dialled.
    Dialled,
}

impl CallField {
    /// Whether a number is *rerouted* where this differs; else its *terms*
    /// change.
    pub const fn is_route(self) -> bool {
        match self {
            CallField::Source
            | CallField::Config
            | CallField::Server
            | CallField::Trunk
            | CallField::Worker
            | CallField::Deployment
            | CallField::Region => true,
            CallField::ApiKey
            | CallField::Secret
            | CallField::Fallback
            | CallField::Inbound
            | CallField::Outbound
            | CallField::Countries
            | CallField::Dialled => false,
        }
    }

    /// The name in reports for machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            CallField::Source => "source",
            CallField::Config => "config",
            CallField::Server => "server",
            CallField::Trunk => "trunk",
            CallField::Worker => "worker",
            CallField::Deployment => "deployment",
            CallField::Fallback => "fallback",
            CallField::Region => "region",
            CallField::ApiKey => "api_key",
            CallField::Secret => "secret",
            CallField::Inbound => "inbound",
            CallField::Outbound => "outbound",
            CallField::Countries => "countries",
            CallField::Dialled => "dialled",
        }
    }
}
