//! `[[bindings]]`, `[[rollouts]]`, `[[expect]]`: who is routed where. Core;
//! imports only core.

use serde_json::Value;

use super::parsed_file::{ExpectDef, Local, Ref, RolloutDef, Spec, Who, name_reference};
use super::raw::{self, At, Rules, Text};
use super::reader::FileReader;
use crate::fields::{Field, Fields};
use crate::finding::Finding;
use crate::list_index::push_indexed;
use crate::phone::{E164, LeadPart, NumberRange, RangeError};
use crate::routing::Expect;
use crate::source::suggest;

/// Rules that can refuse a call, by their keys.
const RULES_THAT_REFUSE: [&str; 3] = ["outbound", "allowed_outbound", "required_lead_format"];

impl FileReader<'_> {
    pub(super) fn read_binding(&mut self, binding: &At<raw::BindingTable<'_>>) {
        let raw = &binding.value;
        let included = self.is_included(&raw.only);
        let base = self.read_spec(raw, None);
        let mut spec = base.clone();
        for (environment, overlay) in &raw.env.0 {
            let chosen = self.is_override(environment, &raw.only);
            let over = self.binding_override(environment, &overlay.value, &base);
            if chosen {
                spec = over;
            }
        }
        let tenant = raw.tenant.as_ref().map(|name| self.tenant_index(name));
        if tenant.is_none() {
            self.add_missing("this binding", "tenant", binding);
        }
        if !included {
            return;
        }
        let spec = self.number_of(spec);
        let tenant = tenant.unwrap_or_default();
        self.read_numbers(binding, |first, count, line| Local {
            first,
            count,
            tenant,
            spec,
            line,
        });
    }

    pub(super) fn tenant_index(&mut self, name: &At<Text<'_>>) -> u32 {
        self.parsed.used.tenants.number(name, self.lines)
    }

    fn number_of(&mut self, spec: Spec) -> u32 {
        if let Some(found) = self.spec_index.get(&spec) {
            return *found;
        }
        let number = push_indexed(&mut self.parsed.specs, spec.clone());
        self.spec_index.insert(spec, number);
        number
    }

    /// What a binding declares, over what is declared already.
    fn read_spec(&mut self, raw: &raw::BindingTable<'_>, over: Option<&Spec>) -> Spec {
        let used = &mut self.parsed.used;
        let config = raw.config.as_ref();
        let region = raw.region.as_ref();
        let config = config.map(|name| used.configs.number(name, self.lines));
        let region = region.map(|name| used.regions.number(name, self.lines));
        let mut fields = over.map(|spec| spec.fields.clone()).unwrap_or_default();
        if let Some(provider) = self.read_text("provider", &raw.provider, 255) {
            fields.set_text(Field::Provider, Some(&provider.value));
        }
        if let Some(rules) = &raw.rules {
            self.read_rules(&rules.value, &mut fields);
        }
        let adopt = self.read_field_names(&raw.adopt, &Field::ADOPTABLE_OF_BINDING);
        Spec {
            config: config.or(over.and_then(|spec| spec.config)),
            region: region.or(over.and_then(|spec| spec.region)),
            fields,
            adopt: adopt
                .or_else(|| over.map(|spec| spec.adopt.clone()))
                .unwrap_or_default(),
        }
    }

    fn read_rules(&mut self, rules: &Rules<'_>, fields: &mut Fields) {
        // A key that is left out here does not compile.
        let Rules {
            inbound,
            outbound,
            allowed_outbound,
            required_lead_format,
            outbound_trunk_id,
        } = rules;
        let mut set = |field, value: Option<bool>| {
            if let Some(value) = value {
                fields.set(field, Some(value.into()));
            }
        };
        set(Field::Inbound, *inbound);
        set(Field::Outbound, *outbound);
        if let Some(region) = allowed_outbound {
            if &*region.value != "global" {
                self.parsed.used.outbound.number(region, self.lines);
            }
            fields.set_text(Field::AllowedOutbound, Some(&region.value));
        }
        if let Some(parts) = required_lead_format {
            let value = self.lead_format(parts);
            fields.set(Field::RequiredLeadFormat, Some(value));
        }
        if let Some(trunk) = self.read_text("outbound_trunk_id", outbound_trunk_id, 255) {
            fields.set_text(Field::OutboundTrunkId, Some(&trunk.value));
        }
    }

    fn lead_format(&mut self, parts: &At<Vec<At<Text<'_>>>>) -> Value {
        let mut has_number = false;
        for part in &parts.value {
            match LeadPart::parse(&part.value) {
                Ok(read) => has_number |= read == LeadPart::BaseNumber,
                Err(error) => self.add_error("bad-lead-format", part, error.to_string()),
            }
        }
        if !has_number {
            let message = "`required_lead_format` leaves out \"base_number\"";
            self.add_error("bad-lead-format", parts, message);
        }
        parts
            .value
            .iter()
            .map(|part| Value::from(&*part.value))
            .collect()
    }

    fn binding_override(
        &mut self,
        environment: &At<Text<'_>>,
        raw: &raw::BindingTable<'_>,
        base: &Spec,
    ) -> Spec {
        self.not_in_override("number", raw.number.as_ref());
        self.not_in_override("numbers", raw.numbers.as_ref());
        self.not_in_override("range", raw.range.as_ref());
        self.not_in_override("tenant", raw.tenant.as_ref());
        self.not_in_override("only", raw.only.as_ref());
        self.not_in_override("env", raw.env.0.first().map(|(name, _)| name));
        let spec = self.read_spec(raw, Some(base));
        if spec == *base {
            self.add_error(
                "override-nothing",
                environment,
                "this override changes nothing",
            );
        }
        spec
    }

    /// The numbers of a binding, of which there is exactly one form.
    fn read_numbers(
        &mut self,
        binding: &At<raw::BindingTable<'_>>,
        make: impl Fn(E164, u32, u32) -> Local,
    ) {
        let raw = &binding.value;
        match (&raw.number, &raw.numbers, &raw.range) {
            (Some(number), None, None) => self.push_number(number, &make),
            (None, Some(numbers), None) => {
                if numbers.value.is_empty() {
                    self.add_error("bad-range", numbers, "`numbers` names no number");
                }
                self.parsed.bindings.reserve(numbers.value.len());
                for number in &numbers.value {
                    self.push_number(number, &make);
                }
            }
            (None, None, Some(ends)) => self.read_range(ends, &make),
            (None, None, None) if self.unknown_keys => {}
            (None, None, None) => {
                let message = "this binding has neither `number` nor `numbers` nor `range`";
                self.add_error("number-choice", binding, message);
            }
            (number, numbers, range) => self.too_many_forms(number, numbers, range),
        }
    }

    fn too_many_forms(
        &mut self,
        number: &Option<At<Text<'_>>>,
        numbers: &raw::TextList<'_>,
        range: &raw::TextList<'_>,
    ) {
        let given = [
            number.as_ref().map(|at| (self.place_of(at), "number")),
            numbers.as_ref().map(|at| (self.place_of(at), "numbers")),
            range.as_ref().map(|at| (self.place_of(at), "range")),
        ];
        let mut given: Vec<_> = given.into_iter().flatten().collect();
        given.sort();
        let message = "a binding has exactly one of `number`, `numbers` and `range`";
        let mut finding = Finding::error("number-choice", message);
        for (place, key) in given.into_iter().rev() {
            match finding.place {
                None => finding.place = Some(place),
                Some(_) => finding.also.push((place, format!("`{key}` is given too"))),
            }
        }
        self.findings
            .add(finding.hint("make a binding of its own for each"));
    }

    fn push_number(&mut self, text: &At<Text<'_>>, make: &impl Fn(E164, u32, u32) -> Local) {
        if let Some(number) = self.read_number(text) {
            let line = self.line_of(text);
            self.parsed.bindings.push(make(number, 1, line));
        }
    }

    pub(super) fn read_number(&mut self, text: &At<Text<'_>>) -> Option<E164> {
        match E164::parse(&text.value) {
            Ok(number) => Some(number),
            Err(error) => {
                let lines = self.lines;
                self.findings.add_many("not-e164", || {
                    let finding = Finding::error("not-e164", error.to_string());
                    let finding = finding.at(lines.place_of(text.span.clone()));
                    match error.guess() {
                        Some(guess) => finding.hint(format!("did you mean `{guess}`?")),
                        None => finding,
                    }
                });
                None
            }
        }
    }

    fn read_range(
        &mut self,
        ends: &At<Vec<At<Text<'_>>>>,
        make: &impl Fn(E164, u32, u32) -> Local,
    ) {
        let [first, last] = ends.value.as_slice() else {
            let message = "a range is its first and its last number: [\"+…\", \"+…\"]";
            return self.add_error("bad-range", ends, message);
        };
        let (Some(first), Some(last)) = (self.read_number(first), self.read_number(last)) else {
            return;
        };
        match NumberRange::new(first, last) {
            Ok(range) => {
                let line = self.line_of(ends);
                let count = u32::try_from(range.len()).unwrap_or(u32::MAX);
                self.parsed.bindings.push(make(first, count, line));
            }
            Err(error) => {
                let finding = Finding::error("bad-range", error.to_string());
                let finding = finding.at(self.place_of(ends));
                self.findings.add(match error {
                    RangeError::TooMany { .. } => finding.hint("split it into several ranges"),
                    RangeError::Backward { .. }
                    | RangeError::CallingCodes { .. }
                    | RangeError::Lengths => finding,
                });
            }
        }
    }

    pub(super) fn read_rollout(&mut self, rollout: &At<raw::Rollout<'_>>) {
        let raw = &rollout.value;
        for (key, name) in [("from", &raw.from), ("to", &raw.to)] {
            if name.is_none() {
                self.add_missing("this rollout", key, rollout);
            }
        }
        let included = self.is_included(&raw.only);
        let who = self.read_who(rollout);
        let (Some(from), Some(to), Some(who)) = (&raw.from, &raw.to, who) else {
            return;
        };
        if from.value == to.value {
            self.add_error("bad-rollout", to, "`from` and `to` are the same config");
        }
        if included {
            self.parsed.rollouts.push(RolloutDef {
                from: name_reference(from, self.lines),
                to: name_reference(to, self.lines),
                who,
                place: self.place_of(rollout),
            });
        }
    }

    fn read_who(&mut self, rollout: &At<raw::Rollout<'_>>) -> Option<Who> {
        let raw = &rollout.value;
        match (&raw.percent, &raw.tenants, &raw.region) {
            (Some(percent), None, None) => {
                if !(0.0..=100.0).contains(&percent.value) {
                    self.add_error("bad-rollout", percent, "`percent` lies between 0 and 100");
                }
                Some(Who::Percent(percent.value))
            }
            (None, Some(tenants), None) => {
                let refs = tenants
                    .value
                    .iter()
                    .map(|name| name_reference(name, self.lines));
                Some(Who::Tenants(refs.collect()))
            }
            (None, None, Some(region)) => Some(Who::Region(name_reference(region, self.lines))),
            _ => {
                let message = "a rollout has exactly one of `percent`, `tenants` and `region`";
                self.add_error("bad-rollout", rollout, message);
                None
            }
        }
    }

    pub(super) fn read_expect(&mut self, expect: &At<raw::ExpectTable<'_>>) {
        let raw = &expect.value;
        for (key, name) in [("from", &raw.from), ("tenant", &raw.tenant)] {
            if name.is_none() {
                self.add_missing("this expectation", key, expect);
            }
        }
        let said = [&raw.to, &raw.config, &raw.worker, &raw.trunk, &raw.region];
        if said.into_iter().all(Option::is_none) && raw.outbound.is_none() {
            self.add_error("bad-expect", expect, "this expectation expects nothing");
        }
        self.expected_call(raw);
        let included = self.is_included(&raw.only);
        let from = raw.from.as_ref().and_then(|from| self.read_number(from));
        let (Some(from), Some(tenant)) = (from, &raw.tenant) else {
            return;
        };
        let refer = |name: &Option<At<Text<'_>>>| -> Option<Ref> {
            name.as_ref().map(|name| name_reference(name, self.lines))
        };
        let text = |text: &Option<At<Text<'_>>>| text.as_ref().map(|text| text.value.to_string());
        let expect = ExpectDef {
            tenant: name_reference(tenant, self.lines),
            config: refer(&raw.config),
            region: refer(&raw.region),
            expect: Expect {
                from,
                tenant: 0,
                to: text(&raw.to),
                config: text(&raw.config),
                worker: text(&raw.worker),
                trunk: text(&raw.trunk),
                region: text(&raw.region),
                outbound: raw.outbound,
                dials: text(&raw.dials),
                refused: text(&raw.refused),
                place: self.place_of(expect),
            },
        };
        if included {
            self.parsed.expects.push(expect);
        }
    }

    /// What is said of one call needs the number that is called.
    fn expected_call(&mut self, raw: &raw::ExpectTable<'_>) {
        for (key, said) in [("dials", &raw.dials), ("refused", &raw.refused)] {
            if let Some(said) = said.as_ref().filter(|_| raw.to.is_none()) {
                let message = format!("`{key}` needs `to`, the number that is called");
                self.add_error("bad-expect", said, message);
            }
        }
        let Some(refused) = &raw.refused else { return };
        if raw.dials.is_some() {
            let message =
                "a call that is refused is not dialled: `dials` and `refused` exclude each other";
            self.add_error("bad-expect", refused, message);
        }
        if !RULES_THAT_REFUSE.contains(&&*refused.value) {
            let hint = suggest::suggestion_hint(&refused.value, RULES_THAT_REFUSE);
            let names = RULES_THAT_REFUSE.map(|rule| format!("`{rule}`")).join(", ");
            let finding = Finding::error(
                "bad-expect",
                format!("no rule of that name refuses calls: {names}"),
            );
            self.findings
                .add(finding.at(self.place_of(refused)).hint_of(hint));
        }
    }
}
