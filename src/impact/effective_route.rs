//! Everything that the calls of a number depend on, before or after a plan:
//! its route, the credentials of its server, and its terms. One value for each
//! set of fields. Core.
//!
//! The environment is symbolic: a plan never reads the routing variables of
//! its shell.

use uuid::Uuid;

use crate::fields::{CallField, Field, Fields};
use crate::resolve::{
    CallBasis, Configs, Fallback, Regions, Route, Router, RoutingEnv, Side, Source, Switch, Terms,
    Trace, host_of,
};

/// Where a number's calls go, and on what terms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectiveRoute {
    pub source: RouteSource,
    pub config: Option<String>,
    pub config_id: Option<Uuid>,
    /// The server's URL.
    pub server: Option<String>,
    pub api_key: Option<String>,
    /// The stored API secret, by its hash or by where it is declared.
    pub secret: Option<String>,
    /// Absent where `OUTBOUND_TRUNK_ID` decides.
    pub trunk: Option<String>,
    /// Absent where `VOICE_AGENT_NAME`, else `inbound-agent`, decides.
    pub worker: Option<String>,
    /// Absent means production.
    pub deployment: Option<String>,
    /// Where calls go where the server can't be reached.
    pub fallback: Option<Fallback>,
    pub region: Option<String>,
    /// Absent only for numbers taken together whose terms differ from one
    /// another and do not change.
    pub terms: Option<Terms>,
    /// Why there is no route: the resolver's code and message.
    pub error: Option<(String, String)>,
}

enum_words! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum RouteSource {
        Database = "database",
        Environment = "environment",
        Error = "error",
    }
}

impl EffectiveRoute {
    /// Of a number whose row has these fields, with these configs and regions.
    pub fn new(configs: &Configs, regions: &Regions, fields: &Fields) -> EffectiveRoute {
        let router = Router {
            configs,
            env: &RoutingEnv::Symbolic,
            side: Side::Database,
            strict: false,
        };
        let mut trace = Trace::default();
        let active = !fields.contains(Field::Status);
        let route = if active {
            router.of_row(fields, "the number", &mut trace)
        } else {
            router.of_environment(None, "the number is not active", &mut trace)
        };
        // Rules of a row that is not active are not looked at.
        let terms = if active {
            Terms::new(fields, regions)
        } else {
            Terms::default()
        };
        let route = match route {
            Ok(route) => of_route(configs, route),
            Err(error) => EffectiveRoute {
                error: Some((error.code.to_owned(), error.message)),
                ..EffectiveRoute::nowhere(RouteSource::Error)
            },
        };
        EffectiveRoute {
            terms: Some(terms),
            ..route
        }
    }

    /// The same, with the configs and regions of `basis`.
    pub fn with(basis: &CallBasis, fields: &Fields) -> EffectiveRoute {
        EffectiveRoute::new(&basis.configs, &basis.regions, fields)
    }

    /// One that says nothing but its source.
    pub fn nowhere(source: RouteSource) -> EffectiveRoute {
        EffectiveRoute {
            source,
            config: None,
            config_id: None,
            server: None,
            api_key: None,
            secret: None,
            trunk: None,
            worker: None,
            deployment: None,
            fallback: None,
            region: None,
            terms: Some(Terms::default()),
            error: None,
        }
    }

    /// In what calls change. The same config under another name is no change,
    /// nor is a region that was not known before; credentials are compared
    /// where the config is the same.
    pub fn differences(&self, after: &EffectiveRoute) -> Vec<CallField> {
        let all = CallField::ALL.into_iter();
        all.filter(|field| self.differs_in(*field, after)).collect()
    }

    fn differs_in(&self, field: CallField, after: &EffectiveRoute) -> bool {
        let same_config = self.config_id == after.config_id
            && (self.config_id.is_some() || self.config == after.config);
        let terms = self.terms_to_compare(after);
        let term = |differs: fn(&Terms, &Terms) -> bool| terms.is_some_and(|(a, b)| differs(a, b));
        match field {
            CallField::Source => self.source != after.source || self.error != after.error,
            CallField::Config => !same_config,
            CallField::Server => self.server != after.server,
            CallField::Trunk => self.trunk != after.trunk,
            CallField::Worker => self.worker != after.worker,
            CallField::Deployment => self.deployment != after.deployment,
            CallField::Region => {
                let regions = self.region.as_ref().zip(after.region.as_ref());
                regions.is_some_and(|(before, after)| before != after)
            }
            CallField::ApiKey => same_config && self.api_key != after.api_key,
            CallField::Secret => same_config && self.secret != after.secret,
            CallField::Fallback => {
                same_config
                    && match (&self.fallback, &after.fallback) {
                        (Some(before), Some(after)) => !before.is_same_place(after),
                        (before, after) => before.is_some() != after.is_some(),
                    }
            }
            CallField::Inbound => term(|a, b| a.inbound != b.inbound),
            CallField::Outbound => term(|a, b| a.outbound != b.outbound),
            CallField::Countries => term(|a, b| a.countries != b.countries),
            CallField::Dialled => term(|a, b| a.dialled != b.dialled),
        }
    }

    /// The terms of both sides; where the route is lost, that says enough.
    fn terms_to_compare<'a>(&'a self, after: &'a EffectiveRoute) -> Option<(&'a Terms, &'a Terms)> {
        let fails = self.error.is_some() || after.error.is_some();
        let lost = self.is_database() && !after.is_database();
        let terms = self.terms.as_ref().zip(after.terms.as_ref());
        terms.filter(|_| !fails && !lost)
    }

    /// Whether no call out can be made any more that could be made before.
    pub fn stops_in(&self, after: &EffectiveRoute) -> bool {
        let terms = self.terms_to_compare(after);
        terms.is_some_and(|(before, after)| before.stop_in(after))
    }

    /// Whether calls can go to more countries than before, or are dialled
    /// with other digits before the number.
    pub fn widens_in(&self, after: &EffectiveRoute) -> bool {
        let terms = self.terms_to_compare(after);
        terms.is_some_and(|(before, after)| before.widen_in(after))
    }

    pub fn is_database(&self) -> bool {
        self.source == RouteSource::Database
    }

    /// Whether `outbound` refuses all calls out.
    pub fn refuses_calls(&self) -> bool {
        let terms = self.terms.as_ref();
        terms.is_some_and(|terms| terms.outbound != Switch::On)
    }

    /// Host and port of the server.
    pub fn host(&self) -> Option<&str> {
        self.server.as_deref().map(host_of)
    }
}

fn of_route(configs: &Configs, route: Route) -> EffectiveRoute {
    let source = match route.source {
        Source::Environment => RouteSource::Environment,
        Source::Database | Source::Files => RouteSource::Database,
    };
    let (config, config_id) = match route.config {
        Some(config) => (Some(config.name), config.id),
        None => (None, None),
    };
    let row = config_id.and_then(|id| configs.get(id));
    let secret = row.and_then(|row| row.text(Field::ApiSecret));
    EffectiveRoute {
        config,
        config_id,
        secret: secret.map(str::to_owned),
        server: route.url,
        api_key: route.api_key,
        trunk: route.trunk.value,
        worker: route.worker.value,
        deployment: route.deployment,
        fallback: route.fallback,
        region: route.region,
        ..EffectiveRoute::nowhere(source)
    }
}
