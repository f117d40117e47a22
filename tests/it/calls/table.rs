//! What people read of calls keeps to their terminal, whatever a record holds:
//! a name of any length breaks no column.

use super::repeat::shown_at_a_terminal;
use super::world::World;

/// Asserts that no line is wider than this many columns.
#[track_caller]
pub fn fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(line.chars().count() <= width, "{line}\n{text}");
    }
}

/// Names and texts as other software, or a careless person, may leave them.
fn with_long_names(world: &World) {
    let (name, message) = ("n".repeat(90), "w".repeat(200));
    world.sql(&format!(
        "UPDATE lkroute_dispatches SET config_name = '{name}', worker = '{name}',
           worker_seen = 'other-{name}', dispatch_id = 'AD_{name}',
           detail = json_set(detail, '$.message', 'so {message}', '$.trunk', 'ST_{name}',
             '$.deployment', '{name}', '$.sip_status', 486, '$.sip_call_status', 'hangup',
             '$.fallback', json('{{\"name\": \"{name}\", \"because\": \"no such {name}\"}}'))"
    ));
}

#[test]
fn the_table_of_calls_keeps_its_columns_and_the_width_of_the_terminal() {
    let world = World::new();
    world.standin.world().workers.insert("voag-dev".to_owned());
    world.dispatch(&["--sip"]).expect_code(0);
    let short = world.run(&["dispatches"]).expect_code(0).stdout;
    fits(&short, 80);
    assert_contains!(short, "dialled at 20");
    let columns = |text: &str| {
        let head = text.lines().next().unwrap_or_default().to_owned();
        ["UTC", "answered", "+919513456728", "→"].map(|part| head.find(part))
    };
    let kept = columns(&short);
    assert!(kept.iter().all(Option::is_some), "{short}");

    with_long_names(&world);
    let long = world.run(&["dispatches"]).expect_code(0).stdout;
    fits(&long, 80);
    assert_eq!(columns(&long), kept, "{long}");
    // Nothing is cut off.
    let whole: String = long.split_whitespace().collect();
    for part in ["config", "asked for", "(", "→", "ST_", "AD_", "no such"] {
        let held = format!("{}{}", part.replace(' ', ""), "n".repeat(90));
        assert!(whole.contains(&held), "{held}: {long}");
    }
    assert!(whole.contains(&"w".repeat(200)), "{long}");

    for (columns, width) in [(50, 50), (100, 100), (20, 40)] {
        let line = format!("stty rows 24 cols {columns}; lkroute --color never dispatches");
        let (code, shown) = shown_at_a_terminal(&world, &line, "");
        assert_eq!(code, 0, "{shown}");
        assert_contains!(shown, "MISMATCH");
        fits(&shown.replace('\r', ""), width);
    }
}

#[test]
fn what_one_call_says_keeps_to_the_width_of_the_terminal() {
    let world = World::new();
    world.standin.world().workers.insert("voag-dev".to_owned());
    for args in [&["--dry-run"][..], &[], &["--sip"]] {
        fits(&world.dispatch(args).expect_code(0).stdout, 80);
    }
}
