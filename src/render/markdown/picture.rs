//! Regions, configs, how many numbers, and what moves, as a picture. Imports
//! core.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::page::Page;
use crate::diff::plan::Plan;
use crate::fields::Field;
use crate::impact::reroutes::{CallField, EffectiveRoute, RerouteGroup, Reroutes, RouteSource};
use crate::render::escape::fenced_block;
use crate::render::moves;
use crate::render::picture::{Arrow, Box, Frame, Picture, Tone, mermaid_flowchart};
use crate::render::style::{counted, thousands};

/// Groups drawn; more is no picture any more.
const DRAWN: usize = 20;
/// Changes written into one box.
const CHANGES: usize = 4;

/// Draws the largest moves, where there are any.
pub(super) fn add_moves(page: &mut Page, plan: &Plan, reroutes: &Reroutes) {
    if reroutes.is_empty() {
        return;
    }
    let mut groups: Vec<&RerouteGroup> = reroutes.groups.iter().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    let left = groups.split_off(DRAWN.min(groups.len())).len() as u64;
    let note = match left {
        0 => String::new(),
        left => format!("{} not drawn.\n\n", counted(left, "smaller move")),
    };
    let block = fenced_block(
        "mermaid",
        &mermaid_flowchart(&Drawing::of(plan, &groups).into_picture()),
    );
    page.add_block(&format!(
        "<details open><summary>As a picture</summary>\n\n{block}\n{note}</details>\n"
    ));
}

/// What a box stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    New,
    /// By its id, where it has one: a renamed config is one box.
    Config(Option<Uuid>, String),
    Environment,
    NoRoute,
}

impl Spot {
    fn of(route: &EffectiveRoute) -> Spot {
        match (route.source, route.config_id, &route.config) {
            (RouteSource::Database, Some(id), _) => Spot::Config(Some(id), String::new()),
            (RouteSource::Database, None, Some(name)) => Spot::Config(None, name.clone()),
            (RouteSource::Error, ..) => Spot::NoRoute,
            _ => Spot::Environment,
        }
    }
}

/// What is written into a box.
#[derive(Debug, Default)]
struct SpotFacts {
    region: Option<String>,
    name: String,
    /// What changes inside it.
    changes: Vec<String>,
}

#[derive(Debug, Default)]
struct Drawing {
    spots: BTreeMap<Spot, SpotFacts>,
    arrows: BTreeMap<(Spot, Spot), u64>,
    /// Numbers by config, before and after.
    counts: BTreeMap<Uuid, (u64, u64)>,
}

impl Drawing {
    fn of(plan: &Plan, groups: &[&RerouteGroup]) -> Drawing {
        let mut drawing = Drawing {
            counts: counts(plan),
            ..Drawing::default()
        };
        for group in groups {
            drawing.add_group(group);
        }
        drawing
    }

    fn add_group(&mut self, group: &RerouteGroup) {
        let before = match &group.before {
            Some(route) => self.spot_of(route),
            None => {
                self.spots.entry(Spot::New).or_default();
                Spot::New
            }
        };
        let after = self.spot_of(&group.after);
        if before != after {
            *self.arrows.entry((before, after)).or_default() += group.count;
            return;
        }
        let (Some(route), Some(facts)) = (&group.before, self.spots.get_mut(&after)) else {
            return;
        };
        for field in &group.changed {
            let value = |route| moves::field_value(route, *field);
            let change = match (value(route), value(&group.after)) {
                (old, new) if *field == CallField::Config => format!("{old} → {new}"),
                (old, new) => format!("{} {old} → {new}", moves::field_name(*field)),
            };
            if !facts.changes.contains(&change) {
                facts.changes.push(change);
            }
        }
    }

    fn spot_of(&mut self, route: &EffectiveRoute) -> Spot {
        let spot = Spot::of(route);
        let facts = self.spots.entry(spot.clone()).or_default();
        facts.region = route.region.clone().or(facts.region.take());
        facts.name = moves::route_end(route);
        spot
    }

    fn into_picture(self) -> Picture {
        let mut picture = Picture::default();
        let mut ids: BTreeMap<&Spot, String> = BTreeMap::new();
        let mut frames: BTreeMap<Option<String>, Vec<Box>> = BTreeMap::new();
        for (ix, (spot, facts)) in self.spots.iter().enumerate() {
            let id = format!("s{ix}");
            let region = facts
                .region
                .as_ref()
                .map(|region| format!("region {region}"));
            let boxes = frames.entry(region).or_default();
            boxes.push(self.drawn_box(&id, spot, facts));
            ids.insert(spot, id);
        }
        let frames = frames.into_iter();
        picture.frames = frames
            .map(|(label, boxes)| Frame { label, boxes })
            .collect();
        for ((from, to), count) in &self.arrows {
            if let (Some(from), Some(to)) = (ids.get(from), ids.get(to)) {
                picture.arrows.push(Arrow {
                    from: from.clone(),
                    to: to.clone(),
                    label: Some(counted(*count, "number")),
                });
            }
        }
        picture
    }

    fn drawn_box(&self, id: &str, spot: &Spot, facts: &SpotFacts) -> Box {
        let changed = !facts.changes.is_empty();
        let (name, tone) = match spot {
            Spot::New => ("new numbers", Tone::Round),
            Spot::Config(..) if changed => (facts.name.as_str(), Tone::Changed),
            Spot::Config(..) => (facts.name.as_str(), Tone::Plain),
            Spot::Environment => ("environment", self.spot_tone(spot)),
            Spot::NoRoute => ("no route, calls fail", self.spot_tone(spot)),
        };
        let mut lines = vec![name.to_owned()];
        if let Spot::Config(Some(uuid), _) = spot
            && let Some((before, after)) = self.counts.get(uuid)
        {
            lines.push(if before == after {
                counted(*after, "number")
            } else {
                format!("{} → {} numbers", thousands(*before), thousands(*after))
            });
        }
        lines.extend(facts.changes.iter().take(CHANGES).cloned());
        Box {
            id: id.to_owned(),
            lines,
            tone,
        }
    }

    /// Of a place that is no config: a loss where numbers come to it.
    fn spot_tone(&self, spot: &Spot) -> Tone {
        if self.arrows.keys().any(|(_, to)| to == spot) {
            Tone::Lost
        } else {
            Tone::Round
        }
    }
}

/// How many numbers each config serves, before and after.
fn counts(plan: &Plan) -> BTreeMap<Uuid, (u64, u64)> {
    let config = |ix| {
        let fields = plan.pool.get(ix);
        let text = fields
            .text(Field::Config)
            .filter(|_| !fields.contains(Field::Status))?;
        Uuid::parse_str(text).ok()
    };
    let mut counts: BTreeMap<Uuid, (u64, u64)> = BTreeMap::new();
    for class in &plan.classes {
        if let Some(id) = class.before.and_then(config) {
            counts.entry(id).or_default().0 += class.numbers;
        }
        if let Some(id) = class.after.and_then(config) {
            counts.entry(id).or_default().1 += class.numbers;
        }
    }
    counts
}
