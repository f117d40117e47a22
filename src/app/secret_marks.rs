//! Which configs have one secret, told by the sources and keys at hand: files
//! say it by names alone, and a link, another directory or another sealing
//! gives one secret several names. Imports core, `files` and `secrets`.

use uuid::Uuid;

use super::secret_sources::SourceRules;
use crate::diff::secret::SecretFacts;
use crate::routing::{Routing, SecretSource, ServerConfig};
use crate::secrets::{self, KeyRing, Sealed, Secret, SecretFormat};

/// Marks configs whose secrets are one file, or one value of which one is in
/// the form that opens for any config.
pub(crate) fn mark(
    facts: &mut SecretFacts,
    rules: &SourceRules,
    routing: &Routing,
    ring: &KeyRing,
) {
    let mut any = false;
    for (name, config) in &routing.configs {
        match &config.api_secret {
            SecretSource::File(path) => {
                if let Some(file) = SourceRules::identity(routing, config, path) {
                    facts.mark(name.as_str(), format!("the file {file}"));
                }
            }
            SecretSource::Sealed(text) => any |= fernet(text.as_stored()).is_some(),
            SecretSource::Env(_) => {}
        }
    }
    if any {
        mark_values(facts, rules, routing, ring);
    }
}

/// A sealed value that opens for whichever config it is copied to.
fn fernet(text: &str) -> Option<Sealed> {
    let sealed = Sealed::parse(text).ok()?;
    (sealed.format() == SecretFormat::Fernet).then_some(sealed)
}

fn mark_values(facts: &mut SecretFacts, rules: &SourceRules, routing: &Routing, ring: &KeyRing) {
    let mut values: Vec<(Secret, Vec<&str>, bool)> = Vec::new();
    for (name, config) in &routing.configs {
        let Some((secret, anywhere)) = value(rules, routing, config, ring) else {
            continue;
        };
        match values.iter_mut().find(|(known, ..)| known.same(&secret)) {
            Some((_, names, any)) => {
                names.push(name);
                *any |= anywhere;
            }
            None => values.push((secret, vec![name], anywhere)),
        }
    }
    let copied = values.iter().enumerate().filter(|(_, (.., any))| *any);
    for (at, (_, names, _)) in copied {
        for name in names {
            facts.mark(*name, format!("the value {at}"));
        }
    }
}

/// The secret that a config declares, where it is at hand, and whether it is
/// sealed for whichever config.
fn value(
    rules: &SourceRules,
    routing: &Routing,
    config: &ServerConfig,
    ring: &KeyRing,
) -> Option<(Secret, bool)> {
    let SecretSource::Sealed(text) = &config.api_secret else {
        return Some((rules.read(routing, config).ok()?, false));
    };
    let sealed = Sealed::parse(text.as_stored()).ok()?;
    let anywhere = sealed.format() == SecretFormat::Fernet;
    // A value of lkroute's own form is never without an id.
    let id = config.id.unwrap_or(Uuid::nil());
    Some((secrets::open(ring, id, &sealed).ok()?, anywhere))
}
