//! `[environments.NAME]` between the files: which there are, and which is
//! chosen. Core; imports only core.

use std::collections::BTreeMap;

use super::merger::Merge;
use super::objects::is_first_definition;
use crate::finding::Finding;
use crate::source::parse::parsed_file::{EnvironmentDef, ParsedFile, drain_all};
use crate::source::suggest;

impl Merge<'_> {
    /// Whether the environment is chosen, where there are any.
    pub(super) fn choose_environment(&mut self, parsed_files: &mut [ParsedFile]) -> bool {
        let mut places = BTreeMap::new();
        for def in drain_all(parsed_files, |parsed| &mut parsed.environments) {
            if is_first_definition(&mut self.findings, &mut places, "environment", &def) {
                self.environments.insert(def.name, def.value);
            }
        }
        let names: Vec<&str> = self.environments.keys().map(String::as_str).collect();
        for name in parsed_files
            .iter()
            .flat_map(|parsed| &parsed.used.environments.list)
        {
            if names.contains(&name.name.as_str()) || self.is_unusable("environments", &name.name) {
                continue;
            }
            let message = format!("there is no environment `{}`", name.name);
            let finding = Finding::error("unknown-environment", message);
            let hint = suggest::suggestion_hint(&name.name, names.iter().copied())
                .unwrap_or_else(|| format!("declare it: [environments.{}]", name.name));
            self.findings.add(finding.hint(hint).at(name.place.clone()));
        }
        let listed = suggest::quoted_list(&names);
        let (code, message, hint) = match &self.options.environment {
            None if !names.is_empty() => {
                let message = format!("an environment has to be chosen: {listed}");
                (
                    "environment-required",
                    message,
                    "choose it with --env".to_owned(),
                )
            }
            Some(name) if !self.environments.contains_key(name) => {
                if self.is_unusable("environments", name) {
                    return false;
                }
                let hint = if names.is_empty() {
                    "the files declare none: leave out --env".to_owned()
                } else {
                    format!("there is {listed}")
                };
                (
                    "unknown-environment",
                    format!("there is no environment `{name}`"),
                    hint,
                )
            }
            _ => return true,
        };
        self.findings.add(Finding::error(code, message).hint(hint));
        false
    }

    /// The chosen environment's definition.
    pub(super) fn chosen_environment(&mut self) -> Option<&mut EnvironmentDef> {
        self.environments
            .get_mut(self.options.environment.as_ref()?)
    }
}
