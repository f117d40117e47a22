//! Laws of loading: where a binding stands, and in which form, is nothing that
//! changes it.

use proptest::prelude::*;

use super::*;

/// Number, tenant by index, provider by index.
type Row = (u64, usize, usize);

const TENANTS: [&str; 2] = ["sasya", "techiemaya"];

fn block(numbers: &str, (_, tenant, provider): Row, uuid: bool) -> String {
    let tenant = match (uuid, tenant) {
        (true, 0) => "734cd516-e252-4728-9c52-4663ee552653",
        (true, _) => "e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5",
        (false, tenant) => TENANTS[tenant],
    };
    format!("[[bindings]]\n{numbers}\ntenant = \"{tenant}\"\nprovider = \"p{provider}\"\n")
}

/// Every row for itself.
fn apart(rows: &[Row], uuid: bool) -> Vec<String> {
    let one = |row: &Row| block(&format!("number = \"+{}\"", row.0), *row, uuid);
    rows.iter().map(one).collect()
}

/// Rows that are alike in lists, and in ranges where they follow each other.
fn together(rows: &[Row]) -> Vec<String> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|(number, tenant, provider)| (*tenant, *provider, *number));
    let alike = rows.chunk_by(|a, b| (a.1, a.2) == (b.1, b.2));
    let lists = alike.flat_map(|alike| {
        let runs = alike.chunk_by(|a, b| a.0 + 1 == b.0);
        runs.map(|run| match run {
            [one] => block(&format!("numbers = [\"+{}\"]", one.0), *one, false),
            [first, .., last] => {
                let range = format!("range = [\"+{}\", \"+{}\"]", first.0, last.0);
                block(&range, *first, true)
            }
            [] => String::new(),
        })
    });
    lists.collect()
}

/// What is declared, sorted.
fn declared(files: &[String]) -> Vec<(String, String, String, crate::fields::Fields)> {
    let names: Vec<String> = (0..files.len()).map(|n| format!("b{n}.toml")).collect();
    let mut all = vec![("a.toml", BASE)];
    all.extend(
        names
            .iter()
            .map(String::as_str)
            .zip(files.iter().map(String::as_str)),
    );
    let loaded = load_all(&all, None);
    assert_eq!(loaded.findings, []);
    let routing = loaded.routing;
    let mut found: Vec<_> = routing
        .bindings
        .iter()
        .map(|binding| {
            let settings = routing.settings(binding);
            let tenant = routing.tenant(binding).id.to_string();
            let number = binding.number.to_string();
            (
                number,
                tenant,
                settings.config.clone(),
                settings.fields.clone(),
            )
        })
        .collect();
    found.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    found
}

proptest! {
    #[test]
    fn moving_and_regrouping_is_no_change(
        rows in proptest::collection::btree_map(
            (prop_oneof![919_513_456_000u64..919_513_456_030, 971_545_335_200u64..971_545_335_230], 0usize..2),
            0usize..2,
            0..60,
        ),
        files in 1usize..5,
    ) {
        let rows: Vec<Row> = rows.into_iter().map(|((n, tenant), p)| (n, tenant, p)).collect();
        let expected = declared(&[apart(&rows, false).concat()]);
        prop_assert_eq!(expected.len(), rows.len());
        let mut spread = vec![String::new(); files];
        for (ix, text) in apart(&rows, true).into_iter().rev().enumerate() {
            spread[ix % files].push_str(&text);
        }
        prop_assert_eq!(&declared(&spread), &expected);
        let grouped = together(&rows).concat();
        let formatted = format_text("b.toml", &grouped).unwrap();
        prop_assert_eq!(&declared(&[grouped]), &expected);
        prop_assert_eq!(&declared(&[formatted]), &expected);
    }
}
