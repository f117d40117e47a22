//! `[[rollouts]]`: gradual moves, expanded into plain bindings. Core; imports
//! only core.
//!
//! Whether a share takes a number along is decided by a hash of number and
//! tenant, so that more of a share contains all of less. The first wave that
//! fits decides, and a number is moved once.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::merger::{Merge, Wave, Whom};
use crate::finding::Finding;
use crate::phone::E164;
use crate::routing::{Binding, BindingSettings};
use crate::source::parse::parsed_file::{RolloutDef, Who};

impl Merge<'_> {
    pub(super) fn take_waves(&mut self, rollouts: Vec<RolloutDef>) {
        for RolloutDef {
            from,
            to,
            who,
            place,
        } in rollouts
        {
            self.check_config(&from);
            self.check_config(&to);
            let (who, label) = match who {
                Who::Percent(share) => (Whom::Percent(share), format!("{share} %")),
                Who::Tenants(names) => {
                    let tenants = names.iter().map(|name| self.tenant_index(name)).collect();
                    let names: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
                    (Whom::Tenants(tenants), names.join(", "))
                }
                Who::Region(name) => {
                    self.check_region(&name);
                    let label = format!("region {}", name.name);
                    (Whom::Region(name.name), label)
                }
            };
            self.waves.push(Wave {
                label: format!("{} → {}: {label}", from.name, to.name),
                from: from.name,
                to: to.name,
                who,
                place,
                asked: false,
                moved: false,
            });
        }
    }

    /// The settings of a binding once the waves have gone over it.
    pub(super) fn rolled_settings(&mut self, binding: &Binding, region: Option<&str>) -> u32 {
        let settings = &self.routing.settings[binding.settings as usize];
        let tenant = self.routing.tenants[binding.tenant as usize].id;
        let takes = |wave: &mut Wave| {
            if wave.from != settings.config {
                return false;
            }
            wave.asked = true;
            match &wave.who {
                Whom::Percent(percent) => share_of_number(binding.number, tenant) < percent / 100.0,
                Whom::Tenants(tenants) => tenants.contains(&binding.tenant),
                Whom::Region(name) => region == Some(name),
            }
        };
        let Some(ix) = self.waves.iter_mut().position(takes) else {
            return binding.settings;
        };
        let wave = &mut self.waves[ix];
        wave.moved = true;
        let moved = BindingSettings {
            config: wave.to.clone(),
            rollout: Some(wave.label.clone()),
            ..settings.clone()
        };
        self.intern_settings(moved)
    }

    /// Waves that move nothing are most likely mistaken.
    pub(super) fn idle_waves(&mut self) {
        for wave in &self.waves {
            let share = matches!(wave.who, Whom::Percent(_));
            if wave.moved || share && wave.asked {
                continue;
            }
            let message = "this rollout moves no number";
            let finding = Finding::warning("idle-rollout", message).at(wave.place.clone());
            self.findings.add(finding);
        }
    }
}

/// Where a number of a tenant stands among all, from 0 up to 1: always at the
/// same place, and evenly spread.
fn share_of_number(number: E164, tenant: Uuid) -> f64 {
    let hash = Sha256::digest(format!("{number}@{tenant}"));
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    // 53 bits are what a f64 holds exactly.
    (u64::from_be_bytes(first) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_the_first_bytes_of_the_hash() {
        let number = E164::parse("+971545335200").unwrap();
        let tenant = Uuid::parse_str("734cd516-e252-4728-9c52-4663ee552653").unwrap();
        let hex = hex::encode(Sha256::digest(
            "+971545335200@734cd516-e252-4728-9c52-4663ee552653",
        ));
        let top = u32::from_str_radix(&hex[..8], 16).unwrap();
        let expected = f64::from(top) / f64::from(u32::MAX);
        assert!((share_of_number(number, tenant) - expected).abs() < 1e-8);
    }
}
