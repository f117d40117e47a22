//! `[guards]`, as far as one file shows it. Core; imports only core.

use std::collections::BTreeMap;

use super::parsed_file::{GuardDefs, name_reference};
use super::raw::{self, At, Named, Text};
use super::reader::FileReader;
use super::text_rules::as_set;
use crate::address::Address;
use crate::fields::Field;
use crate::finding::{Finding, Place};
use crate::routing::guards::{Allowance, Budget, CODES, Limit, Policy};
use crate::routing::window::Window;
use crate::source::suggest;

impl FileReader<'_> {
    pub(super) fn read_guards(&mut self, raw: &raw::GuardsTable<'_>) -> GuardDefs {
        let mut defs = GuardDefs {
            deletes: self.read_budget(raw.deletes.as_ref()),
            updates: self.read_budget(raw.updates.as_ref()),
            reroutes: self.read_budget(raw.reroutes.as_ref()),
            ..GuardDefs::default()
        };
        for glob in raw.protected.iter().flat_map(|globs| &globs.value) {
            self.read_protected(glob);
            defs.protected.push(glob.value.to_string());
        }
        defs.protected = as_set(defs.protected.into_iter());
        if let Some(policy) = &raw.policy {
            for (region, _) in &policy.value.hosts.0 {
                defs.regions.push(name_reference(region, self.lines));
            }
            for (name, _) in &policy.value.workers.0 {
                if &*name.value != "*" {
                    self.parsed.used.environments.number(name, self.lines);
                }
            }
            let place = self.place_of(policy);
            defs.policy = Some((self.read_policy(&policy.value), place));
        }
        if let Some(text) = &raw.window {
            match text.value.parse::<Window>() {
                Ok(window) => defs.window = Some((window, self.place_of(text))),
                Err(form) => self.add_error("bad-guard", text, format!("`window` is {form}")),
            }
        }
        for allow in &raw.allow {
            defs.allow.extend(self.read_allowance(allow));
        }
        defs
    }

    fn read_budget(&mut self, raw: Option<&At<raw::BudgetTable>>) -> Option<(Budget, Place)> {
        let budget = raw?;
        let raw = &budget.value;
        let part = |limit: &Option<raw::LimitTable>| match limit {
            Some(limit) => (limit.max.clone(), limit.percent.clone()),
            None => (None, None),
        };
        let (region, tenant) = (part(&raw.per_region), part(&raw.per_tenant));
        let read = Budget {
            overall: self.read_limit(&raw.max, &raw.percent),
            per_region: self.read_limit(&region.0, &region.1),
            per_tenant: self.read_limit(&tenant.0, &tenant.1),
        };
        if read == Budget::default() {
            self.add_error("bad-guard", budget, "this budget limits nothing");
        }
        Some((read, self.place_of(budget)))
    }

    fn read_limit(&mut self, max: &Option<At<u64>>, percent: &Option<At<f64>>) -> Limit {
        if let Some(percent) = percent
            .as_ref()
            .filter(|p| !(0.0..=100.0).contains(&p.value))
        {
            self.add_error("bad-guard", percent, "`percent` lies between 0 and 100");
        }
        Limit {
            max: max.as_ref().map(|max| max.value),
            percent: percent.as_ref().map(|percent| percent.value),
        }
    }

    fn read_protected(&mut self, glob: &At<Text<'_>>) {
        let kinds = ["region.", "config.", "binding.", "*"];
        if !kinds.iter().any(|kind| glob.value.starts_with(kind)) {
            let finding = Finding::error("bad-guard", "this matches no address");
            let hint = "write `config.uae-*` or `binding.+971545335200@*`";
            self.findings
                .add(finding.at(self.place_of(glob)).hint(hint));
        }
    }

    fn read_policy(&mut self, raw: &raw::PolicyTable<'_>) -> Policy {
        Policy {
            deny_plain_http: self.is_deny(&raw.plain_http),
            hosts: sorted_lists(&raw.hosts),
            workers: sorted_lists(&raw.workers),
            deny_cross_region: self.is_deny(&raw.cross_region),
            deny_widen: self.is_deny(&raw.widen),
            require: self
                .read_field_names(&raw.require, &Field::OF_CONFIG)
                .unwrap_or_default(),
        }
    }

    fn is_deny(&mut self, choice: &Option<At<Text<'_>>>) -> bool {
        let Some(choice) = choice else { return false };
        match &*choice.value {
            "deny" => true,
            "allow" => false,
            other => {
                let hint = suggest::suggestion_hint(other, ["deny", "allow"]);
                let finding = Finding::error("bad-guard", "this is `deny` or `allow`");
                self.findings
                    .add(finding.at(self.place_of(choice)).hint_of(hint));
                false
            }
        }
    }

    fn read_allowance(&mut self, allow: &At<raw::Allow<'_>>) -> Option<Allowance> {
        let raw = &allow.value;
        let what = "this exception";
        for (key, text) in [
            ("guard", &raw.guard),
            ("reason", &raw.reason),
            ("expires", &raw.expires),
        ] {
            if text.is_none() {
                self.add_missing(what, key, allow);
            }
        }
        if raw.addresses.is_none() {
            self.add_missing(what, "addresses", allow);
        }
        let guard = self.read_text("guard", &raw.guard, 255);
        if let Some(guard) = &guard
            && !CODES.contains(&guard.value.as_str())
        {
            let finding = Finding::error("bad-guard", "no guard has this name");
            let hint = suggest::suggestion_hint(&guard.value, CODES);
            let finding = finding.at(self.place_of(guard)).hint_of(hint);
            self.findings.add(finding);
        }
        let reason = self.read_prose("reason", &raw.reason);
        if let Some(date) = &raw.expires
            && date.value.parse::<jiff::civil::Date>().is_err()
        {
            self.add_error("bad-guard", date, "`expires` is a day, written YYYY-MM-DD");
        }
        let addresses = raw.addresses.as_ref()?;
        for address in &addresses.value {
            if let Err(error) = address.value.parse::<Address>() {
                self.add_error("bad-guard", address, error.to_string());
            }
        }
        Some(Allowance {
            guard: guard?.value,
            addresses: addresses
                .value
                .iter()
                .map(|one| one.value.to_string())
                .collect(),
            max: raw.max.as_ref().map(|max| max.value),
            reason: reason?.value,
            expires: raw.expires.as_ref()?.value.to_string(),
            place: self.place_of(allow),
        })
    }
}

fn sorted_lists(named: &Named<'_, Vec<At<Text<'_>>>>) -> BTreeMap<String, Vec<String>> {
    let texts =
        |list: &At<Vec<At<Text<'_>>>>| as_set(list.value.iter().map(|t| t.value.to_string()));
    let entries = named.0.iter();
    entries
        .map(|(name, list)| (name.value.to_string(), texts(list)))
        .collect()
}
