//! A resolution as JSON: the contract of `resolve --format json`. Core.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{Called, DialledForm, Reached, Resolution, ResolveError, Step, Switch, Terms};
use crate::format_versions;
use crate::invisible_chars::without_user_info;

/// What `resolve --format json` prints. Keys are always there; what is not
/// known is null. Where there is no route, `error` says why, and tenant, config
/// and region are there as far as they were found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Report {
    pub format_version: u32,
    /// That of `--env`.
    pub environment: Option<String>,
    /// `database`, `environment` or `files`.
    pub source: Option<&'static str>,
    pub tenant: Option<Uuid>,
    pub tenant_alias: Option<String>,
    /// E.164.
    pub from: String,
    pub region: Option<String>,
    pub config: Option<ReportConfig>,
    pub url: Option<String>,
    pub api_key: Option<String>,
    /// `opens`, `no key`, `damaged` or `not checked`.
    pub secret: Option<&'static str>,
    pub trunk_id: Option<String>,
    /// `config`, `rules` or `environment`.
    pub trunk_source: Option<&'static str>,
    pub worker_name: Option<String>,
    /// `config`, `environment` or `default`.
    pub worker_source: Option<&'static str>,
    /// The deployment of the workers; null means production.
    pub deployment: Option<String>,
    /// The config that takes the call where the server can't be reached.
    pub fallback: Option<ReportConfig>,
    /// The terms of the number's row; null where there is none.
    pub terms: Option<ReportTerms>,
    pub to: Option<ReportTo>,
    pub trace: Vec<ReportStep>,
    pub error: Option<ReportError>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportConfig {
    pub id: Option<Uuid>,
    pub name: String,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportTo {
    pub input: String,
    pub formatted: String,
    /// ISO 3166.
    pub country: Option<&'static str>,
}

/// On what terms a number calls and is called.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportTerms {
    /// `allowed`, `refused` or `unreadable`, which refuses too.
    #[schemars(extend("enum" = ["allowed", "refused", "unreadable"]))]
    pub inbound: &'static str,
    #[schemars(extend("enum" = ["allowed", "refused", "unreadable"]))]
    pub outbound: &'static str,
    /// Whether every country may be called: `allowed_outbound` sets no limit.
    pub anywhere: bool,
    /// Else the prefixes that it lets through.
    pub countries: Vec<String>,
    /// The form in which the called number is dialled: `0…`, `00CC…` with
    /// `CC` for its country code; null where the rule can't be read, and
    /// refuses.
    pub dialled: Option<String>,
}

impl From<&Terms> for ReportTerms {
    fn from(terms: &Terms) -> ReportTerms {
        let Terms {
            inbound,
            outbound,
            countries,
            dialled,
        } = terms;
        let word = |switch: &Switch| match switch {
            Switch::On => "allowed",
            Switch::Off => "refused",
            Switch::Unreadable => "unreadable",
        };
        ReportTerms {
            inbound: word(inbound),
            outbound: word(outbound),
            anywhere: countries.is_all(),
            countries: if countries.is_all() {
                Vec::new()
            } else {
                countries.prefixes()
            },
            dialled: match dialled {
                DialledForm::Parts(_) => Some(dialled.to_string()),
                DialledForm::Unreadable => None,
            },
        }
    }
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportStep {
    pub step: &'static str,
    pub outcome: &'static str,
    pub detail: String,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportError {
    /// The code that the process exits with.
    pub exit: u8,
    /// Why there is no route, in a word.
    pub code: Option<&'static str>,
    pub message: String,
    pub hint: Option<String>,
}

impl From<&Step> for ReportStep {
    fn from(step: &Step) -> ReportStep {
        ReportStep {
            step: step.topic.as_str(),
            outcome: step.verdict.as_str(),
            detail: step.detail.clone(),
        }
    }
}

impl From<&Called> for ReportTo {
    fn from(called: &Called) -> ReportTo {
        ReportTo {
            input: called.input.clone(),
            formatted: called.formatted.clone(),
            country: called.country,
        }
    }
}

impl From<&ResolveError> for ReportError {
    fn from(error: &ResolveError) -> ReportError {
        ReportError {
            exit: error.exit as u8,
            code: Some(error.code),
            message: error.message.clone(),
            hint: error.hint.clone(),
        }
    }
}

impl From<&Resolution> for Report {
    fn from(resolution: &Resolution) -> Report {
        let outcome = resolution.outcome.as_ref().ok();
        let route = outcome.map(|outcome| &outcome.route);
        let Reached {
            tenant,
            config,
            region,
            terms,
        } = &resolution.reached;
        Report {
            format_version: format_versions::REPORT,
            environment: resolution.query.environment.clone(),
            source: route.map(|route| route.source.as_str()),
            tenant: tenant.as_ref().map(|tenant| tenant.id),
            tenant_alias: tenant.as_ref().and_then(|tenant| tenant.alias.clone()),
            from: resolution.query.from.to_string(),
            region: region.clone(),
            config: config.as_ref().map(|config| ReportConfig {
                id: config.id,
                name: config.name.clone(),
            }),
            url: route.and_then(|route| Some(without_user_info(route.url.as_ref()?).into_owned())),
            api_key: route.and_then(|route| route.api_key.clone()),
            secret: route.and_then(|route| Some(route.secret?.as_str())),
            trunk_id: route.and_then(|route| route.trunk.value.clone()),
            trunk_source: route.map(|route| route.trunk.source.as_str()),
            worker_name: route.and_then(|route| route.worker.value.clone()),
            worker_source: route.map(|route| route.worker.source.as_str()),
            deployment: route.and_then(|route| route.deployment.clone()),
            fallback: route.and_then(|route| {
                let config = &route.fallback.as_ref()?.config;
                Some(ReportConfig {
                    id: config.id,
                    name: config.name.clone(),
                })
            }),
            terms: terms.as_ref().map(ReportTerms::from),
            to: outcome.and_then(|outcome| outcome.to.as_ref().map(ReportTo::from)),
            trace: resolution.trace.iter().map(ReportStep::from).collect(),
            error: resolution.outcome.as_ref().err().map(ReportError::from),
        }
    }
}
