//! The routing as a picture: regions, their configs, and how many numbers of
//! whom each config serves. Imports core and `picture`.

use std::collections::BTreeMap;

use super::picture::{self, Arrow, Box, Frame, Picture, Tone};
use super::style::{counted, thousands};
use crate::routing::{Routing, ServerConfig};

/// What a picture is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Mermaid,
    Dot,
}

/// Mermaid draws no more than 500 arrows unless it is configured, which
/// GitHub does not allow (<https://mermaid.js.org/config/schema-docs/config.html#maxedges>);
/// and nobody reads that many.
const CONFIGS: usize = 60;
/// Tenants named for each config, where configs are few.
const TENANTS: usize = 6;

/// Draws what the files declare. In Mermaid the smallest configs of a region
/// and the smallest tenants of a config are folded; DOT has them all.
pub fn routing_graph(routing: &Routing, style: Style) -> String {
    match style {
        Style::Mermaid => {
            let tenants = (4 * CONFIGS / routing.configs.len().max(1)).clamp(1, TENANTS);
            let regions = routing.regions.len().max(1);
            let configs = (CONFIGS / regions).max(1);
            picture::mermaid_flowchart(&drawn_routing(routing, configs, tenants))
        }
        Style::Dot => picture::dot_digraph(&drawn_routing(routing, usize::MAX, usize::MAX)),
    }
}

/// Numbers by tenant label, the most first.
type BindingCounts = Vec<(String, u64)>;

fn drawn_routing(routing: &Routing, configs: usize, tenants: usize) -> Picture {
    let counts = count_by_config(routing);
    let none = BindingCounts::new();
    let of = |name: &str| counts.get(name).unwrap_or(&none);
    let mut picture = Picture {
        title: routing
            .environment
            .as_ref()
            .map(|name| format!("environment {name}")),
        ..Picture::default()
    };
    let mut numbers = Vec::new();
    for (name, region) in &routing.regions {
        let codes: Vec<String> = region
            .country_codes
            .iter()
            .map(ToString::to_string)
            .collect();
        let mut boxes = Vec::new();
        let mut members: Vec<(&String, &ServerConfig)> = routing
            .configs
            .iter()
            .filter(|(_, config)| &config.region == name)
            .collect();
        members.sort_by_key(|(config, _)| std::cmp::Reverse(count_numbers(of(config))));
        let more = members.split_off(configs.min(members.len()));
        for (config, server) in members {
            let id = format!("c{}", numbers.len());
            boxes.push(config_box(&id, config, server));
            numbers.push((id, tenant_lines(of(config), tenants)));
        }
        if !more.is_empty() {
            let left: u64 = more
                .iter()
                .map(|(config, _)| count_numbers(of(config)))
                .sum();
            let id = format!("c{}", numbers.len());
            let lines = vec![counted(more.len() as u64, "more config")];
            boxes.push(Box {
                id: id.clone(),
                lines,
                tone: Tone::Plain,
            });
            numbers.push((id, vec![vec![counted(left, "number")]]));
        }
        let label = format!("region {name} {}", codes.join(", "));
        picture.frames.push(Frame {
            label: Some(label),
            boxes,
        });
    }
    for (config, lines) in numbers {
        for (ix, lines) in lines.into_iter().enumerate() {
            let id = format!("{config}n{ix}");
            picture.arrows.push(Arrow {
                from: config.clone(),
                to: id.clone(),
                label: None,
            });
            let boxes = vec![Box {
                id,
                lines,
                tone: Tone::Round,
            }];
            picture.frames.push(Frame { label: None, boxes });
        }
    }
    picture
}

fn config_box(id: &str, name: &str, config: &ServerConfig) -> Box {
    let mut lines = vec![name.to_owned()];
    let more = [
        ("worker", &config.worker_name),
        ("deployment", &config.deployment),
        ("fallback", &config.fallback),
        ("trunk", &config.trunk_id),
    ];
    let more = more.into_iter();
    lines.extend(more.filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?))));
    Box {
        id: id.to_owned(),
        lines,
        tone: Tone::Plain,
    }
}

fn count_numbers(counts: &BindingCounts) -> u64 {
    counts.iter().map(|(_, count)| count).sum()
}

/// How many numbers of each tenant each config serves.
fn count_by_config(routing: &Routing) -> BTreeMap<&str, BindingCounts> {
    let mut by_index: BTreeMap<(&str, u32), u64> = BTreeMap::new();
    for binding in &routing.bindings {
        let config = routing.settings(binding).config.as_str();
        *by_index.entry((config, binding.tenant)).or_default() += 1;
    }
    let mut counts: BTreeMap<&str, BindingCounts> = BTreeMap::new();
    for ((config, tenant), count) in by_index {
        let label = routing.tenants[tenant as usize].label();
        counts.entry(config).or_default().push((label, count));
    }
    for tenants in counts.values_mut() {
        tenants.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    }
    counts
}

/// The lines of each box: a tenant and its numbers, the last ones together.
fn tenant_lines(counts: &BindingCounts, most: usize) -> Vec<Vec<String>> {
    if counts.is_empty() {
        return vec![vec!["no numbers".to_owned()]];
    }
    let named = if counts.len() <= most {
        counts.len()
    } else {
        most - 1
    };
    let (named, rest) = counts.split_at(named);
    let mut boxes: Vec<Vec<String>> = named
        .iter()
        .map(|(tenant, count)| vec![counted(*count, "number"), tenant.clone()])
        .collect();
    if !rest.is_empty() {
        let sum: u64 = rest.iter().map(|(_, count)| count).sum();
        let more = if named.is_empty() { "" } else { "more " };
        let tenants = format!("{} {more}tenants", thousands(rest.len() as u64));
        boxes.push(vec![counted(sum, "number"), tenants]);
    }
    boxes
}
