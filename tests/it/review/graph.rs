//! The routing as a picture.

use lkroute::render::graph::{Style, routing_graph};
use uuid::Uuid;

use super::world::{self, Files};
use crate::support::golden;

#[test]
fn regions_configs_and_numbers_are_drawn() {
    let routing = world::two_regions().0;
    golden(
        "graph/two-regions.mmd",
        &routing_graph(&routing, Style::Mermaid),
    );
    golden(
        "graph/two-regions.dot",
        &routing_graph(&routing, Style::Dot),
    );
}

/// Two regions, 300 configs, ten tenants each.
fn large() -> Files {
    let mut files = Files::new(&["routing/all.toml"])
        .region("uae", "+971", (0, 5))
        .region("india", "+91", (0, 6));
    for tenant in 0..10 {
        files = files.tenant(tenant + 1, Some(&format!("tenant-{tenant}")));
    }
    for ix in 0..300u32 {
        let region = if ix % 3 == 0 { "uae" } else { "india" };
        let (name, id) = (
            format!("config-{ix}"),
            Uuid::from_u128(1000 + u128::from(ix)),
        );
        files = files.config(&name, id, region, "voag-dev", (0, ix));
        for tenant in 0..10 {
            let first = format!("+9715{:08}", 1000 * ix + 100 * tenant);
            files = files.numbers(&first, 1 + ix as usize % 5, tenant, &name, None, (0, ix));
        }
    }
    files
}

#[test]
fn mermaid_folds_what_it_could_not_draw() {
    let routing = large().0;
    let text = routing_graph(&routing, Style::Mermaid);
    let arrows = text.lines().filter(|line| line.contains("-->")).count();
    assert!(arrows <= 300, "{arrows} arrows");
    assert_contains!(text, "[\"170 more configs\"]");
    let numbers: usize = text
        .lines()
        .filter(|line| line.contains("([\""))
        .filter_map(|line| {
            line.split('"')
                .nth(1)?
                .split(' ')
                .next()?
                .replace(',', "")
                .parse::<usize>()
                .ok()
        })
        .sum();
    assert_eq!(
        numbers,
        routing.bindings.len(),
        "every number is counted once"
    );
    let dot = routing_graph(&routing, Style::Dot);
    assert_eq!(dot.matches(" -> ").count(), 3000);
}

#[test]
fn names_can_not_leave_their_label() {
    let files = |name: &str| {
        Files::new(&["routing/all.toml"])
            .region("uae", "+971", (0, 5))
            .config(name, world::UAE, "uae", name, (0, 9))
            .tenant(1, Some(name))
            .numbers("+971545335200", 2, 0, name, None, (0, 12))
    };
    let evil = files("x\"];\n`<b>#quot; click c0 href \"https://evil.example\" \\");
    for style in [Style::Mermaid, Style::Dot] {
        let (harmless, evil) = (
            routing_graph(&files("x").0, style),
            routing_graph(&evil.0, style),
        );
        assert_eq!(harmless.lines().count(), evil.lines().count(), "{evil}");
        for line in evil.lines() {
            let open = line.replace("\\\\", "").replace("\\\"", "");
            assert!(matches!(open.matches('"').count(), 0 | 2), "{line}");
        }
    }
    golden("graph/hostile.mmd", &routing_graph(&evil.0, Style::Mermaid));
    golden("graph/hostile.dot", &routing_graph(&evil.0, Style::Dot));
}
